// Loaded into alto before its own code (node --import): alto listens on 0.0.0.0 and cannot be told otherwise.
// Every server of the process is bound to 127.0.0.1, and the port it got is told on standard output.
import net from "node:net";

const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (...args) {
  const callback = args.find((arg) => typeof arg === "function");
  const [first, second] = args;
  const port = typeof first === "object" && first !== null ? first.port : first;
  const backlog = typeof first === "object" && first !== null ? first.backlog : args.slice(2).find(Number.isInteger);
  if (!Number.isInteger(Number(port))) throw new Error(`the lab allows TCP ports only, not ${first} ${second}`);
  this.once("listening", () => {
    const { address, port } = this.address();
    console.log(`use-aa-lab listening ${address}:${port}`);
  });
  // alto swallows a port in use: end instead, so that the lab can say why.
  this.once("error", (error) => {
    console.error(String(error));
    process.exit(1);
  });
  return listen.call(this, { port: Number(port), host: "127.0.0.1", backlog, exclusive: true }, callback);
};
