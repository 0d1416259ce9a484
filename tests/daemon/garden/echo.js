const fs = require("fs");
const server = require("http").createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
        const body = Buffer.concat(chunks).toString("hex");
        fs.appendFileSync("{folder}/record", `${request.method} ${request.url} ${body}\n`);
        response.end("seen");
    });
});
server.listen({port}, "127.0.0.1");
