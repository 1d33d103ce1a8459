import { expect, it } from '@jest/globals';
import type { DeliveryResource, WebhookResource } from '@strongroom/contracts';
import { answerOf, standingOf, typesOf } from './webhooks.js';

const at = '2026-11-27T03:15:00.000Z';
const delivery: DeliveryResource = {
  id: 'event',
  event_type: 'BackupFailed',
  state: 'delivered',
  attempts: 1,
  http_status: 204,
  fault: null,
  duration_ms: 12,
  first_attempt: at,
  last_attempt: at,
};
const webhook: WebhookResource = {
  id: 'webhook',
  name: 'on call',
  url_origin: 'https://hooks.example.com',
  types: [],
  format: 'event',
  enabled: true,
  disabled: null,
  failing_since: null,
  next_attempt: null,
  last_delivery: delivery,
  created: at,
  updated: at,
  version: 1,
};
const fault = { code: 'answered', message: 'The URL was answered with 500.' };
const refused: DeliveryResource = { ...delivery, state: 'waiting', http_status: 500, fault };

it.each<[string, string | null, Partial<WebhookResource>]>([
  ['Sending', null, {}],
  ['Sending', null, { last_delivery: null }],
  ['Sending', null, { last_delivery: { ...refused, state: 'failed' } }],
  ['Sending', null, { failing_since: at }],
  ['Waiting', at, { failing_since: at, next_attempt: at, last_delivery: refused }],
  ['Passing over', at, { failing_since: at, last_delivery: { ...refused, state: 'failed' } }],
  ['Paused', null, { enabled: false, failing_since: at, last_delivery: refused }],
  ['Disabled', at, { enabled: false, disabled: { code: 'gone', message: 'It is gone.', at }, failing_since: at }],
])('a webhook is told as "%s", since %s', (word, since, fields) => {
  expect(standingOf({ ...webhook, ...fields })).toMatchObject({ word, since });
});

it('an attempt is told by its answer, its time and its fault', () => {
  expect(answerOf(delivery)).toBe('204 in 12 ms');
  expect(answerOf(refused)).toBe('500 in 12 ms: The URL was answered with 500.');
  expect(answerOf({ ...refused, http_status: null })).toBe('No answer in 12 ms: The URL was answered with 500.');
});

it('which events are sent is told as the API has it', () => {
  expect(typesOf(webhook)).toBe('all');
  expect(typesOf({ ...webhook, format: 'slack' })).toBe('what fails, is late or is lost');
  expect(typesOf({ ...webhook, types: ['SlotMissed', 'BackupFailed'] })).toBe('SlotMissed, BackupFailed');
});
