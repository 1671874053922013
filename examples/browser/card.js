// A page that reads a card and verifies and changes its PIN by the driver's WebSocket (docs/standard/driver-api.md §10).
// It needs no library. ?control=ws://127.0.0.1:PORT names another address of the control, ?lang=en the language.
"use strict";

const asked = new URLSearchParams(location.search);
const CONTROL = asked.get("control") ?? "ws://127.0.0.1:12342";
const AUTOMATIC = 3; // iType: contact first, then contactless
const DONE = "1"; // success; an error is the negative code

const TEXTS = {
  zh: {
    title: "社会保障卡",
    other: "English",
    read: "读卡",
    verify: "校验密码",
    change: "修改密码",
    reading: "正在读卡……",
    pad: "请在密码键盘上输入密码。",
    iReadCardBas: "读卡成功。",
    iVerifyPIN: "密码正确。",
    iChangePIN: "密码已修改。",
    noControl: `连接不上读卡控件（${CONTROL}），请启动：sscard driver serve CARD --listen ws:12342`,
    error: (text) => text, // the driver's own text is Chinese
    fields: ["发卡地区", "社会保障号码", "卡号", "卡识别码", "姓名", "", "规范版本", "发卡日期", "有效期至", "终端机编号"],
  },
  en: {
    title: "Social security card",
    other: "中文",
    read: "Read card",
    verify: "Verify PIN",
    change: "Change PIN",
    reading: "Reading the card…",
    pad: "Enter the PIN at the PIN pad.",
    iReadCardBas: "Card read.",
    iVerifyPIN: "The PIN is correct.",
    iChangePIN: "PIN changed.",
    noControl: `No connection to the control at ${CONTROL}. Start it: sscard driver serve CARD --listen ws:12342`,
    error: (text, code) => {
      const left = /剩余(\d+)次/.exec(text);
      const known = ERRORS[code] ?? (code <= -0x6000 ? `Status word ${(-code).toString(16).toUpperCase()}` : text);
      return left ? `${known}, tries left: ${left[1]}` : known;
    },
    fields: ["District", "Social security number", "Card number", "Identification code", "Name", "", "Version",
      "Issued", "Expires", "Terminal number"],
  },
};

// The driver's own codes of driver-api.md §7 and §7.1, and the numbers that the second one has for some status words.
const ERRORS = {
  "-1": "Not a social security card",
  "-2": "No card",
  "-3": "The card lost power",
  "-4": "The card does not answer",
  "-5": "The control lacks a part, such as the library of the reader",
  "-11": "The reader is in use or cannot be opened",
  "-12": "Not connected",
  "-13": "The control does not support this function",
  "-14": "Wrong parameter",
  "-15": "The check byte of the card's ATR is wrong",
  "-20": "The card's identification code is wrong",
  "-21": "Internal authentication failed: the card is not genuine",
  "-22": "Another card is in the reader",
  "-23": "The data are not valid",
  "-24": "The PSAM is not one for this card's district",
  "-25": "Internal authentication failed: card and HSM differ",
  "-31": "PIN entry cancelled",
  "-32": "PIN entry timed out",
  "-33": "Wrong length of the PIN",
  "-34": "The two new PINs differ",
  "-35": "The initial PIN has to be changed first",
  "-36": "The new PIN is the initial PIN",
  "-41": "Characters that are not allowed",
  "-42": "Wrong length of the data",
  "-51": "Wrong PIN",
  "-52": "The PIN is blocked",
  "-2201": "No PSAM",
  "-2202": "The PSAM lacks the card's algorithm",
  "-2203": "The PSAM lacks the key RKSSSE",
  "-2204": "This needs no HSM",
  "-27272": "Key not found",
  "-26368": "Wrong length (Lc or Le)",
  "-26369": "P1, P2 and Lc do not agree",
  "-26370": "Wrong P1 or P2",
  "-26371": "Wrong CLA",
  "-26881": "Invalid state",
  "-999": "The card refused, for a reason that the control does not know",
};

class NoControl extends Error {}

/** The control: one call at a time, because an answer has no number. The connection stays open between calls. */
class Control {
  #socket = null;
  #last = Promise.resolve();

  /** Call a function; {functionName, success, pOutInfo}. */
  call(name, parameters = {}) {
    const answer = this.#last.then(() => this.#exchange({ function: name, ...parameters }));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #exchange(request) {
    const socket = await this.#open();
    return new Promise((resolve, reject) => {
      socket.onmessage = (event) => resolve(JSON.parse(event.data));
      socket.onclose = () => reject(new NoControl());
      socket.send(JSON.stringify(request));
    });
  }

  #open() {
    if (this.#socket?.readyState === WebSocket.OPEN) return this.#socket;
    return new Promise((resolve, reject) => {
      this.#socket = new WebSocket(CONTROL);
      this.#socket.onopen = () => resolve(this.#socket);
      this.#socket.onclose = () => reject(new NoControl());
    });
  }
}

const control = new Control();
const state = { language: asked.get("lang") === "en" ? "en" : "zh", told: () => "", kind: "", card: [] };
const element = (id) => document.getElementById(id);
const buttons = ["read", "verify", "change"].map(element);

function show() {
  const texts = TEXTS[state.language];
  document.documentElement.lang = state.language === "zh" ? "zh-CN" : "en";
  document.title = texts.title;
  for (const labelled of document.querySelectorAll("[data-text]")) labelled.textContent = texts[labelled.dataset.text];
  element("language").textContent = texts.other;
  element("status").textContent = state.told(texts);
  element("status").className = state.kind;
  element("card").replaceChildren(...texts.fields.flatMap((label, place) => (label ? [row(label, place)] : [])));
}

function row(label, place) {
  const line = document.createElement("tr");
  line.append(document.createElement("th"), document.createElement("td"));
  line.firstChild.textContent = label;
  line.lastChild.textContent = state.card[place] ?? "";
  line.dataset.field = place + 1;
  return line;
}

function tell(kind, told) {
  Object.assign(state, { kind, told });
  show();
}

async function run(name, waiting) {
  for (const button of buttons) button.disabled = true;
  if (name === "iReadCardBas") state.card = []; // no data of the card before this one
  tell("", (texts) => texts[waiting]);
  try {
    const { success, pOutInfo } = await control.call(name, { iType: AUTOMATIC });
    if (String(success) === DONE) {
      if (name === "iReadCardBas") state.card = pOutInfo.split("|");
      tell("done", (texts) => texts[name]);
    } else {
      tell("failed", (texts) => `${texts.error(pOutInfo, Number(success))} (${success})`);
    }
  } catch (error) {
    if (!(error instanceof NoControl)) throw error;
    tell("failed", (texts) => texts.noControl);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

element("read").onclick = () => run("iReadCardBas", "reading");
element("verify").onclick = () => run("iVerifyPIN", "pad");
element("change").onclick = () => run("iChangePIN", "pad");
element("language").onclick = () => {
  state.language = state.language === "zh" ? "en" : "zh";
  show();
};
show();
