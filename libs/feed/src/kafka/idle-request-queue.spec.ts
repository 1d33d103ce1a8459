import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import './idle-request-queue.js';

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

describe('the queue of requests of a connection to Kafka', () => {
  let queue: RequestQueue;
  beforeEach(() => {
    queue = new RequestQueue({
      maxInFlightRequests: 1,
      requestTimeout: 1_000,
      enforceRequestTimeout: false,
      clientId: 'spec',
      broker: 'spec',
      logger: { debug: () => {}, warn: () => {} },
    });
  });
  afterEach(() => queue.destroy());

  const push = (correlationId: number) =>
    queue.push({
      entry: { correlationId, apiName: 'Metadata', apiKey: 3, apiVersion: 6 },
      expectResponse: true,
      sendRequest: () => {},
    });

  it('sets no timer when no request waits', () => {
    const before = timers();
    push(1);
    queue.scheduleCheckPendingRequests();
    expect(timers()).toBe(before);
  });

  it('sets a timer when a request waits', () => {
    const before = timers();
    push(1);
    push(2);
    expect(queue.pending).toHaveLength(1);
    expect(timers()).toBe(before + 1);
  });
});
