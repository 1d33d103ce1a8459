import { describe, expect, it } from '@jest/globals';
import { cloudEventOf, positionHeader } from './cloud-event.js';

const event = {
  position: 7,
  id: 'e',
  type: 'BackupRequested',
  stream: 'backup-b',
  instanceId: 'i',
  at: '2026-11-27T12:00:00.000Z',
  requestId: 'r',
  correlationId: 'c',
  traceparent: null,
  text: '{}',
};

describe('the message of an event', () => {
  it('has the place in the trace as the header by which consumers of any kind go on with it', () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect(cloudEventOf({ ...event, traceparent }, 'ledger').headers).toMatchObject({
      [positionHeader]: '7',
      traceparent,
    });
  });

  it('has no such header where the event has none', () => {
    expect(Object.keys(cloudEventOf(event, 'ledger').headers)).not.toContain('traceparent');
  });
});
