/**
 * The system's own sockets and epoll, through FFI: a read by Deno's own ways costs a promise and several times the
 * processor time of the read itself, and the load would be what is measured. Linux with glibc only.
 */
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;

const AF_INET = 2;
/** Stream, not blocking, closed in children. */
const SOCKET_TYPE = 0x1 | 0x800 | 0x80000;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_RCVBUF = 8;
const IPPROTO_IP = 0;
const IP_BIND_ADDRESS_NO_PORT = 24;
const MSG_NOSIGNAL = 0x4000;
const SCHED_FIFO = 1;

const { symbols: libc } = Deno.dlopen("libc.so.6", {
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  // In C, sizes are size_t and ssize_t, for which Deno takes slow bigints; all of these fit 32 bits.
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  sched_setscheduler: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
});

export interface ConnectOptions {
  readonly port: number;
  /** Bytes of 127.x.y.z to come from; the server is on 127.0.0.1. */
  readonly from: readonly [number, number, number, number];
  /** Size of the receive buffer, in bytes. Default: the system's. */
  readonly receiveBuffer?: number;
}

/** A socket on its way to the server. Undefined when there is no descriptor left. */
export function connect({ port, from, receiveBuffer }: ConnectOptions): number | undefined {
  const fd = libc.socket(AF_INET, SOCKET_TYPE, 0);
  if (fd < 0) return undefined;
  if (receiveBuffer !== undefined) setOption(fd, SOL_SOCKET, SO_RCVBUF, receiveBuffer);
  // Without it the bind takes a port that is free for all destinations, and they run out.
  setOption(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  libc.bind(fd, address(from, 0), 16);
  // It fails with EINPROGRESS; what became of it is asked for once the socket is writable.
  libc.connect(fd, address([127, 0, 0, 1], port), 16);
  return fd;
}

function address(host: readonly number[], port: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16);
  new Uint16Array(bytes.buffer)[0] = AF_INET;
  new DataView(bytes.buffer).setUint16(2, port);
  bytes.set(host, 4);
  return bytes;
}

function setOption(fd: number, level: number, option: number, value: number): void {
  libc.setsockopt(fd, level, option, new Int32Array([value]), 4);
}

/** Whether the connection came about. */
export function isConnected(fd: number): boolean {
  const error = new Int32Array(1);
  return libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, error, new Uint32Array([4])) === 0 && error[0] === 0;
}

export function close(fd: number): void {
  libc.close(fd);
}

/** Whether all of it went out; a request is far smaller than a socket's buffer. */
export function send(fd: number, bytes: Uint8Array<ArrayBuffer>): boolean {
  return libc.send(fd, bytes, bytes.length, MSG_NOSIGNAL) === bytes.length;
}

/** How many bytes were read: 0 at the end, less when there is nothing or the connection is broken. */
export function read(fd: number, into: Uint8Array<ArrayBuffer>): number {
  return libc.read(fd, into, into.length);
}

/** Lets this thread run before all others, as readers on machines of their own would. Only root may. */
export function becomeRealtime(): boolean {
  return libc.sched_setscheduler(0, SCHED_FIFO, new Int32Array([1])) === 0;
}

/** Size of a `struct epoll_event`, which is packed on x86-64 only. */
const EVENT_SIZE = Deno.build.arch === "x86_64" ? 12 : 16;
const TAG_OFFSET = EVENT_SIZE - 8;

/** Waits on many descriptors; each has a tag, a whole number of 32 bits, by which it is known. */
export class Epoll {
  readonly #fd = libc.epoll_create1(0);
  readonly #events: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #one = new Uint8Array(EVENT_SIZE);
  readonly #oneView = new DataView(this.#one.buffer);
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
    this.#events = new Uint8Array(limit * EVENT_SIZE);
    this.#view = new DataView(this.#events.buffer);
  }

  add(fd: number, tag: number, events: number): void {
    this.#control(EPOLL_CTL_ADD, fd, tag, events);
  }

  change(fd: number, tag: number, events: number): void {
    this.#control(EPOLL_CTL_MOD, fd, tag, events);
  }

  remove(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0, 0);
  }

  #control(operation: number, fd: number, tag: number, events: number): void {
    this.#oneView.setUint32(0, events, true);
    this.#oneView.setUint32(TAG_OFFSET, tag, true);
    if (libc.epoll_ctl(this.#fd, operation, fd, this.#one) !== 0) throw new Error("Cannot watch a socket");
  }

  /** Waits until something happens, or for so many milliseconds (-1: for ever). How many happened. */
  wait(ms: number): number {
    return libc.epoll_wait(this.#fd, this.#events, this.#limit, ms);
  }

  tag(index: number): number {
    return this.#view.getUint32(index * EVENT_SIZE + TAG_OFFSET, true);
  }

  events(index: number): number {
    return this.#view.getUint32(index * EVENT_SIZE, true);
  }
}
