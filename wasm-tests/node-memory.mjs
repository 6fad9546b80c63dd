// Runs examples/memory.rs, built for wasm32-unknown-unknown, which imports nothing, and compares the checksum that it returns
// with that of the same edits in JavaScript.
//
// usage: node node-memory.mjs MODULE

import { readFileSync } from "node:fs";
import { argv, exit } from "node:process";

const bytes = Buffer.alloc(10010);
for (let i = 0; i < 10000; i++) bytes[i] = i % 251;
bytes.write("Hello ", 5000);
bytes.write("!0123456789", 9999);
const anonymous = Buffer.alloc(100);
anonymous.write("Hello world", 0);
anonymous.write("world", 16);
const wanted = Buffer.concat([bytes, anonymous]).reduce((sum, byte) => (Math.imul(sum, 31) + byte) >>> 0, 0);

const { instance } = await WebAssembly.instantiate(readFileSync(argv[2]));
const got = instance.exports.run() >>> 0;
if (got !== wanted) {
  console.error(`the bytes have checksum ${got}, not ${wanted}`);
  exit(1);
}
console.log("10,110 bytes were mapped, changed and written back");
