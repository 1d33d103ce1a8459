/** The parts that this project uses of a class that kafkajs has no types for. */
declare module 'kafkajs/src/network/requestQueue/index.js' {
  interface Request {
    entry: { correlationId: number; apiName: string; apiKey: number; apiVersion: number };
    expectResponse: boolean;
    sendRequest(): void;
  }

  export default class RequestQueue {
    constructor(options: {
      maxInFlightRequests: number;
      /** In milliseconds. */
      requestTimeout: number;
      enforceRequestTimeout: boolean;
      clientId: string;
      broker: string;
      logger: { debug(): void; warn(): void };
    });
    /** Requests that are not sent yet. */
    readonly pending: readonly unknown[];
    /** Sends the request, or keeps it when as many requests are on their way as may be. */
    push(request: Request): void;
    /** Sets a timer to look at `pending` again. */
    scheduleCheckPendingRequests(): void;
    destroy(): void;
  }
}
