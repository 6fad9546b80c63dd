// Serves a directory on loopback: `node serve.mjs DIRECTORY [PORT]`. Without PORT it uses a free port.

import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";

const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".wasm": "application/wasm" };

/** Resolves with the server and the address of its page. */
export function serve(directory, port = 0) {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const file = path.join(directory, pathname.endsWith("/") ? `${pathname}index.html` : pathname);
    fs.readFile(file, (error, data) => {
      if (error !== null) {
        response.writeHead(404).end(`There is no ${pathname} here.\n`);
        return;
      }
      // After a rebuild the next load has to show the new files.
      const type = TYPES[path.extname(file)] ?? "application/octet-stream";
      response.writeHead(200, { "content-type": type, "cache-control": "no-cache" }).end(data);
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve({ server, url: `http://127.0.0.1:${server.address().port}/` }));
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [directory, port] = process.argv.slice(2);
  try {
    const { url } = await serve(directory, Number(port ?? 0));
    console.log(`The demo is at ${url} until this ends (Ctrl+C).`);
  } catch (error) {
    console.error(`The demo cannot be served on port ${port}: ${error.message}. PORT=0 selects a free port.`);
    process.exitCode = 1;
  }
}
