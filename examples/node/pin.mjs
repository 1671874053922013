// Change or reset the PIN of a social security card in a PC/SC reader, with @pokusew/pcsclite (Node 18).
//
//   npm install                               builds the package: needs gcc, make, python3 and libpcsclite-dev
//   node pin.mjs READER change OLD NEW        the holder knows the old PIN
//   node pin.mjs READER reset NEW             the issuer's HSM proves that it may
//
// READER is a name as PC/SC lists it. A reset asks the HSM service at SSCARD_HSM (default http://127.0.0.1:8440,
// started by "sscard hsm serve"), with the token in the file SSCARD_HSM_TOKEN. Exits 1 if the card refuses. PINs on
// the command line are for test cards.
import { readFileSync } from "node:fs";
import pcsclite from "@pokusew/pcsclite";

const SSSE = "7378312E73682EC9E7BBE1B1A3D5CF";
const NAMES_ALGORITHM = "9F0C038601";
const [DES, SSF33, SM4] = [0x01, 0x02, 0x03];
const LONGEST_ANSWER = 258;
const PATIENCE = 5000; // milliseconds to find the reader with a card in it

const byte = (number) => number.toString(16).padStart(2, "0").toUpperCase();
const withLength = (header, data) => header + byte(data.length / 2) + data;
const encodePin = (pin) => pin + "F".repeat(pin.length % 2); // BCD, an odd number of digits filled with F

// An operation of the HSM service: POST /v1/OPERATION, answered by {"result": …} or {"error": …}.
async function askHsm(operation, fields) {
  const url = process.env.SSCARD_HSM ?? "http://127.0.0.1:8440";
  const token = readFileSync(process.env.SSCARD_HSM_TOKEN, "ascii").trim();
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const answer = await fetch(`${url}/v1/${operation}`, { method: "POST", headers, body: JSON.stringify(fields) });
  const { result, error } = await answer.json();
  if (error) throw new Error(`the HSM refused: ${error}`);
  return result;
}

// The card in a reader, T=0: data that waits is fetched by GET RESPONSE, a wrong Le is repeated with the right one.
class Card {
  constructor(reader, protocol, atr) {
    this.reader = reader;
    this.protocol = protocol;
    this.serial = atr.subarray(9, 17).toString("hex"); // 3B 6D 00 00, then 13 historical bytes, the last 8 serial
  }

  transmit(command) {
    return new Promise((resolve, reject) => {
      const answered = (error, answer) => (error ? reject(error) : resolve(answer.toString("hex").toUpperCase()));
      this.reader.transmit(Buffer.from(command, "hex"), LONGEST_ANSWER, this.protocol, answered);
    });
  }

  // The data of an answer with 9000, in hex.
  async send(command) {
    let answer = await this.transmit(command);
    if (answer.startsWith("6C")) answer = await this.transmit(command.slice(0, -2) + answer.slice(2));
    else if (answer.startsWith("61")) answer = await this.transmit("00C00000" + answer.slice(2));
    const sw = answer.slice(-4);
    if (sw !== "9000") throw new Error(`the card refused INS ${command.slice(2, 4)}: ${sw}`);
    return answer.slice(0, -4);
  }

  challenge() {
    return this.send("0084000008");
  }
}

// Two challenges, the proof of PUK, a challenge, the enciphered new PIN under the MAC of STK.
async function reset(card, fci, pin) {
  await card.send("00A4020002EF05");
  const city = (await card.send("00B2010000")).slice(4, 10);
  const mark = fci.indexOf(NAMES_ALGORITHM);
  const named = fci.substr(mark + NAMES_ALGORITHM.length, 2);
  const unnamed = city.startsWith("11") ? SSF33 : DES; // SSF33 is not public: the HSM refuses it
  const algorithm = mark < 0 ? unnamed : parseInt(named, 16);
  const same = { algorithm, city_code: city, serial: card.serial };

  let address = await askHsm("address-of", { key: "PUK" });
  const original = await card.challenge();
  let factor = await card.challenge();
  const proof = await askHsm("authentication-data", { ...same, address, factor, original });
  await card.send(withLength("00820006", proof));

  const block = algorithm === SM4 ? 16 : 8;
  const enciphered = Math.floor((pin.length / 2 + block) / block) * block;
  address = await askHsm("address-of", { key: "STK" });
  factor = await card.challenge();
  const header = `84240001${byte(enciphered + 4)}`;
  await card.send(await askHsm("safe-message", { ...same, address, factor, header, pin }));
}

const [wanted, operation, ...pins] = process.argv.slice(2);
if (!(operation === "change" && pins.length === 2) && !(operation === "reset" && pins.length === 1)) {
  console.error("usage: node pin.mjs READER change OLD NEW | READER reset NEW");
  process.exit(2);
}

const waiting = setTimeout(() => fail(new Error(`no reader ${wanted} with a card`)), PATIENCE);
const pcsc = pcsclite();
pcsc.on("error", fail);
pcsc.on("reader", (reader) => {
  reader.on("error", fail);
  if (reader.name !== wanted) return reader.close();
  reader.on("status", ({ state, atr }) => {
    if (!(state & reader.SCARD_STATE_PRESENT) || !atr?.length) return;
    reader.removeAllListeners("status");
    clearTimeout(waiting);
    reader.connect({ share_mode: reader.SCARD_SHARE_SHARED }, (error, protocol) => {
      if (error) fail(error);
      else work(new Card(reader, protocol, atr)).then(() => process.exit(0), fail);
    });
  });
});

async function work(card) {
  const fci = await card.send(withLength("00A40400", SSSE));
  const fresh = encodePin(pins.at(-1));
  if (operation === "change") await card.send(withLength("805E0100", `${encodePin(pins[0])}FF${fresh}`));
  else await reset(card, fci, fresh);
  await card.send(withLength("00200000", fresh));
  console.log(`PIN ${operation}: done`);
}

function fail(error) {
  console.error(error.message);
  process.exit(1);
}
