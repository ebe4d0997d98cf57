// As `src/main.rs`, by llhttp, the parser of Node.
const server = require("http").createServer({ insecureHTTPParser: false }, (request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const body = Buffer.concat(pieces).toString("hex");
    response.end(`${request.method} ${request.url} ${body}`);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
