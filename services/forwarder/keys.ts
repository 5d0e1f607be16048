/** Makes the CURVE keys of an installation and prints the settings of each service. */
import { curveKeyPair } from "zeromq";
import { announce } from "../lib/log.ts";

if (import.meta.main) {
  const server = curveKeyPair();
  const clients = { broadcaster: curveKeyPair(), streamer: curveKeyPair() };
  // Quoted: the alphabet of the keys has # and $.
  announce(`# forwarder
ZMQ_SERVER_SECRET_KEY='${server.secretKey}'
ZMQ_CLIENT_KEYS='${Object.values(clients).map(({ publicKey }) => publicKey).join(",")}'`);
  for (const [name, { publicKey, secretKey }] of Object.entries(clients)) {
    announce(`
# ${name}
ZMQ_SERVER_PUBLIC_KEY='${server.publicKey}'
ZMQ_CLIENT_PUBLIC_KEY='${publicKey}'
ZMQ_CLIENT_SECRET_KEY='${secretKey}'`);
  }
}
