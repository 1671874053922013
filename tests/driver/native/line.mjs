// The driver from another language: the line protocol over its Unix socket, in Node. PROTOCOL.md has the whole of it.
//
//   node line.mjs SOCKET
import net from "node:net";
import readline from "node:readline";

const socket = net.connect(process.argv[2]);
const lines = readline.createInterface({ input: socket })[Symbol.asyncIterator]();

const escape = (text) => String(text).replace(/[\x00-\x1f%\x7f]/g, (c) => "%" + c.charCodeAt(0).toString(16).padStart(2, "0"));
const unescape = (text) => text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));

async function call(...words) {
  socket.write(words.map(escape).join("\t") + "\n");
  const [code, text] = (await lines.next()).value.split("\t");
  return { code: Number(code), text: unescape(text) };
}

await call("sscard-driver", 1, "UTF-8");
const basic = await call("iReadCardBas", 3);
console.log(basic.code, basic.text.split("|")[4]);
const changed = await call("iChangePIN", 3);
console.log(changed.code, changed.text);
const wrong = await call("iVerifyPIN", 3);
console.log(wrong.code, wrong.text);
socket.end();
