// A self-service terminal: reads the card, sets a new PIN, tries it. It calls the LD/T 33 driver by its line protocol
// and carries strings between driver and host, as kiosks in the field do; it knows no key.
//
//   node kiosk.mjs NEWPIN
//
// The driver: "sscard driver serve", at the Unix socket or tcp:PORT of SSCARD_DRIVER. The host, for what the PSAM
// cannot do: "sscard hsm serve", at SSCARD_HSM (default http://127.0.0.1:8440), its token in the file SSCARD_HSM_TOKEN.
// The kiosk asks its user for the PIN, so the driver gets it as a parameter where the HSM steps are used; a driver with
// a PSAM prompts at its own pad. Exits 1 with the function and the driver's code. PINs on the command line are for test
// cards.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import readline from "node:readline";

const AUTOMATIC = 3; // iType: contact first
const NO_PSAM = -2201, NO_ALGORITHM = -2202, NO_READ_KEY = -2203, KEY_NOT_FOUND = -27272, LEVEL = -24;
const FALLBACK = new Set([NO_PSAM, NO_ALGORITHM, NO_READ_KEY, KEY_NOT_FOUND, LEVEL]); // on these the HSM steps
const HEADER = 10; // hex digits

class Refused extends Error {
  constructor(name, code, text) {
    super(`${name}: ${code} ${text}`);
    this.code = code;
  }
}

class Driver {
  async open(place) {
    const [, port] = place.match(/^tcp:(\d+)$/) ?? [];
    this.socket = port ? net.connect(Number(port), "127.0.0.1") : net.connect(place);
    await once(this.socket, "connect");
    this.lines = readline.createInterface({ input: this.socket })[Symbol.asyncIterator]();
    await this.call("sscard-driver", 1, "UTF-8");
  }

  // The pOutInfo of a function; a line is its name and parameters, the answer its code and text.
  async call(name, ...given) {
    const escaped = [name, ...given].map((word) =>
      String(word).replace(/[\x00-\x1f%\x7f]/g, (c) => "%" + c.charCodeAt(0).toString(16).padStart(2, "0")));
    this.socket.write(escaped.join("\t") + "\n");
    const { value, done } = await this.lines.next().catch(() => ({ done: true }));
    if (done) throw new Error(`${name}: the driver hung up`);
    const [code, text] = value.split("\t");
    const out = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    if (code !== "0") throw new Refused(name, Number(code), out);
    return out;
  }
}

// The issuer's card-holder base: POST /v1/host/OPERATION with the strings as the driver gave them.
async function askHost(operation, strings) {
  const url = process.env.SSCARD_HSM ?? "http://127.0.0.1:8440";
  const token = readFileSync(process.env.SSCARD_HSM_TOKEN, "ascii").trim();
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const answer = await fetch(`${url}/v1/host/${operation}`, { method: "POST", headers, body: JSON.stringify(strings) });
  const { result, error } = await answer.json();
  if (error) throw new Error(`${operation}: the host refused: ${error}`);
  return result;
}

// The work by the PSAM; by the HSM steps if the PSAM is missing or lacks the key.
async function withFallback(byPsam, bySteps) {
  try {
    return ["PSAM", await byPsam()];
  } catch (refused) {
    if (!(refused instanceof Refused) || !FALLBACK.has(refused.code)) throw refused;
    return ["HSM", await bySteps()];
  }
}

async function readBasic(driver) {
  return withFallback(
    () => driver.call("iReadCardBas", AUTOMATIC),
    async () => {
      const asked = await driver.call("iReadCardBas_HSM_Step1", AUTOMATIC);
      return driver.call("iReadCardBas_HSM_Step2", await askHost("check-card", { asked }));
    },
  );
}

async function resetPin(driver, basic, pin) {
  const [, , number, code] = basic.split("|");
  const card = `${code}|${number}|`;
  return withFallback(
    () => driver.call("iReloadPIN", AUTOMATIC, card),
    async () => {
      let asked = await driver.call("iReloadPIN_HSM_Step1", AUTOMATIC, card);
      const proof = await askHost("authenticate", { basic, asked });
      asked = await driver.call("iReloadPIN_HSM_Step2", proof, pin.length % 2 ? pin + "F" : pin);
      const command = await askHost("safe-message", { basic, asked });
      return driver.call("iReloadPIN_HSM_Step3", command.slice(HEADER)); // the driver adds the header
    },
  );
}

async function main(pin) {
  if (!/^\d{4,16}$/.test(pin ?? "")) throw new Error("usage: node kiosk.mjs NEWPIN, 4 to 16 digits");
  if (!process.env.SSCARD_DRIVER) throw new Error("SSCARD_DRIVER is not set: where sscard driver serve listens");
  const driver = new Driver();
  try {
    await driver.open(process.env.SSCARD_DRIVER);
    const [way, basic] = await readBasic(driver);
    console.log(`read by ${way}: ${basic}`);
    const [means] = await resetPin(driver, basic, pin);
    console.log(`PIN reset by ${means}`);
    await driver.call("iVerifyPIN", AUTOMATIC, pin.length % 2 ? pin + "F" : pin);
    console.log("PIN verified");
  } finally {
    driver.socket.end();
  }
}

try {
  await main(process.argv[2]);
} catch (problem) {
  console.error(problem.message);
  process.exitCode = 1;
}
