/** Ways to publish: each gives a function that resolves once the update is acknowledged. */
import { ZeromqChannel } from "../../lib/channels/zeromq.ts";
import { newUpdateId } from "../../lib/update.ts";
import type { Target } from "./protocol.ts";

/** Resolves with the id of the update, where the answer tells it. */
export type Publish = (topic: string, data: string) => Promise<string | undefined>;

/** Bytes of an answer's head and body, at most. */
const ANSWER_BYTES = 16 * 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder("latin1");

export async function open(target: Target): Promise<Publish> {
  if (target.kind === "zeromq") return await openZeromq(target);
  if (target.kind === "http") return await openHttp(target);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: target.port });
  connection.setNoDelay();
  return async (_topic, data) => {
    const id = newUpdateId();
    await writeAll(connection, `id: ${id}\ndata: ${data}\n\n`);
    return id;
  };
}

async function openZeromq({ routerPort, xpubPort }: Target & { kind: "zeromq" }): Promise<Publish> {
  const channel = new ZeromqChannel({ host: "127.0.0.1", routerPort, xpubPort });
  await channel.latest();
  return async (topic, data) => {
    const id = newUpdateId();
    await channel.publish({ id, topics: [topic], data, private: false });
    return id;
  };
}

/** `fetch` would need more time than the server: this writes bytes, and looks for the status and the length only. */
async function openHttp(target: Target & { kind: "http" }): Promise<Publish> {
  const { port, path, headers, body, connections } = target;
  const open = () => Deno.connect({ hostname: "127.0.0.1", port });
  const idle = await Promise.all(Array.from({ length: connections }, open));
  for (const connection of idle) connection.setNoDelay();
  const waiting: ((connection: Deno.TcpConn) => void)[] = [];
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return async (topic, data) => {
    const connection = idle.pop() ?? await new Promise<Deno.TcpConn>((resolve) => waiting.push(resolve));
    const content = body === "data" ? data : `${new URLSearchParams({ topic, data })}`;
    const id = await post(
      connection,
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${lines}Content-Length: ${content.length}\r\n\r\n${content}`,
    );
    const next = waiting.shift();
    if (next === undefined) idle.push(connection);
    else next(connection);
    return id;
  };
}

async function post(connection: Deno.TcpConn, request: string): Promise<string> {
  await writeAll(connection, request);
  const buffer = new Uint8Array(ANSWER_BYTES);
  let answer = "";
  while (!isWhole(answer)) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error("The server hung up");
    answer += decoder.decode(buffer.subarray(0, count));
  }
  if (!/^HTTP\/1\.1 2/.test(answer)) throw new Error(`Not acknowledged: ${answer}`);
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}

function isWhole(answer: string): boolean {
  const end = answer.indexOf("\r\n\r\n");
  if (end < 0) return false;
  if (/^transfer-encoding: *chunked/im.test(answer.slice(0, end))) return answer.endsWith("0\r\n\r\n");
  const length = Number(/^content-length: *([0-9]+)/im.exec(answer.slice(0, end))?.[1] ?? 0);
  return answer.length >= end + 4 + length;
}

async function writeAll(connection: Deno.TcpConn, text: string): Promise<void> {
  const bytes = encoder.encode(text);
  let at = await connection.write(bytes);
  while (at < bytes.length) at += await connection.write(bytes.subarray(at));
}
