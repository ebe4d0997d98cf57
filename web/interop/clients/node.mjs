// Tests an echo server with `ws` and `undici`, or is an echo server with `ws`.
//
// node node.mjs client URL; node node.mjs server PORT

import assert from "node:assert";
import { createRequire } from "node:module";

// The packages are installed in the working directory.
const require = createRequire(`${process.cwd()}/`);
const ws = require("ws");
const undici = require("undici");

const text = "h\u00e9llo \u{1f30d} ".repeat(10_000);
const binary = Uint8Array.from({ length: 1_000_000 }, (_, n) => n * n);

function check(name, socket) {
  return new Promise((resolve, reject) => {
    const messages = ["", "hi", text, binary];
    let at = 0;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(messages[0]);
    socket.onerror = (event) => reject(new Error(`${name}: ${event.message}`));
    socket.onmessage = ({ data }) => {
      const echoed = typeof data === "string" ? data : new Uint8Array(data);
      assert.deepStrictEqual(echoed, messages[at]);
      at += 1;
      if (at < messages.length) socket.send(messages[at]);
      else socket.close(4000, "done");
    };
    socket.onclose = ({ code }) => {
      assert.deepStrictEqual([at, code], [messages.length, 4000]);
      console.log(`${name}: ok`);
      resolve();
    };
  });
}

const [, , role, target] = process.argv;
if (role === "client") {
  await check("ws, compressed", new ws.WebSocket(target));
  await check("ws, plain", new ws.WebSocket(target, { perMessageDeflate: false }));
  await check("undici", new undici.WebSocket(target));
} else {
  const options = { host: "127.0.0.1", port: Number(target), perMessageDeflate: true };
  new ws.WebSocketServer(options).on("connection", (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
}
