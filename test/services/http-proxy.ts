/**
 * A proxy before a server of HTTP that does to a request what a network or a server does on a bad day. A test says what becomes of
 * each request.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface PassingRequest {
  method: string;
  /** With the query. */
  path: string;
}

/** What becomes of a request, in place of passing. */
export type HttpFault =
  /** The server does not get it, and this is the answer. */
  | { answer: { status: number; headers?: Record<string, string>; body?: string } }
  /** The server does not get it, and nobody answers. */
  | 'hang'
  /** The connection is reset before the server gets it. */
  | 'reset'
  /** The server does it, and its answer is lost. */
  | 'lose-answer'
  /** So many bytes of the body come, and then the connection is reset. */
  | { cutAfter: number }
  /** The body comes so many bytes at a time, with a pause after each. */
  | { crawl: { bytes: number; pauseMs: number } }
  /** The body is another one, and its length fits. */
  | { body: (bytes: Buffer) => Buffer };

export class HttpProxy {
  readonly requests: PassingRequest[] = [];
  /** What becomes of each request; undefined lets it pass. */
  fault: (request: PassingRequest) => HttpFault | undefined = () => undefined;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly to: URL,
    readonly url: string,
  ) {}

  static async before(serverUrl: string): Promise<HttpProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    const proxy = new HttpProxy(server, new URL(serverUrl), `http://127.0.0.1:${address.port}`);
    server.on('connection', (socket) => {
      proxy.sockets.add(socket);
      socket.on('close', () => proxy.sockets.delete(socket));
    });
    server.on('request', (asked, answer) => proxy.pass(asked, answer));
    return proxy;
  }

  /** From now on everything passes, and no request has been seen. */
  calm(): void {
    this.fault = () => undefined;
    this.requests.length = 0;
  }

  /** Resets every connection, also those whose requests hang. */
  resetAll(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.resetAll();
    this.server.close();
    await once(this.server, 'close');
  }

  private pass(asked: IncomingMessage, answer: ServerResponse): void {
    const { method = '', url: path = '', headers } = asked;
    this.requests.push({ method, path });
    const fault = this.fault({ method, path });
    if (fault === 'reset') return void asked.socket.destroy();
    if (fault === 'hang') return void asked.resume();
    if (typeof fault === 'object' && 'answer' in fault) {
      const { status, headers: told = {}, body = '' } = fault.answer;
      // A client that still sends would see a reset in place of the answer.
      asked.resume().once('end', () => answer.writeHead(status, told).end(method === 'HEAD' ? undefined : body));
      return;
    }
    const { hostname, port } = this.to;
    const far = request({ hostname, port, method, path, headers, agent: false }, (told) => {
      if (fault === 'lose-answer') return void told.resume().once('end', () => asked.socket.destroy());
      void this.give(told, answer, fault).catch(() => answer.destroy());
    });
    far.on('error', () => answer.destroy());
    answer.on('close', () => far.destroy());
    asked.pipe(far);
  }

  private async give(told: IncomingMessage, answer: ServerResponse, fault: Exclude<HttpFault, string> | undefined) {
    const status = told.statusCode ?? 500;
    if (fault && 'body' in fault) {
      const body = fault.body(Buffer.concat(await told.toArray()));
      answer.writeHead(status, { ...told.headers, 'content-length': body.length }).end(body);
      return;
    }
    answer.writeHead(status, told.headers);
    let given = 0;
    for await (const chunk of told) {
      if (fault && 'cutAfter' in fault) {
        const rest = fault.cutAfter - given;
        given += chunk.length;
        if (given < fault.cutAfter) answer.write(chunk);
        // What was written must have left before the connection goes.
        else return void answer.write(chunk.subarray(0, rest), () => answer.destroy());
      } else if (fault && 'crawl' in fault) {
        const { bytes, pauseMs } = fault.crawl;
        for (let at = 0; at < chunk.length && !answer.destroyed; at += bytes) {
          answer.write(chunk.subarray(at, at + bytes));
          await new Promise((resolve) => setTimeout(resolve, pauseMs));
        }
      } else if (!answer.write(chunk)) await Promise.race([once(answer, 'drain'), once(answer, 'close')]);
    }
    answer.end();
  }
}
