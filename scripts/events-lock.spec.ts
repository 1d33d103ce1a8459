import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { compare, currentForms, type EventForms, eventForms, formOf } from './events-lock.js';

describe('the lock of events', () => {
  const path = join(__dirname, '../libs/contracts/events.lock.json');
  const locked = eventForms.parse(JSON.parse(readFileSync(path, 'utf8')));

  it('holds: no released event was changed or removed', () => {
    expect(compare(locked, currentForms()).breaches).toEqual([]);
  });

  it('holds every event; one that was added is locked by `npm run lock:events`', () => {
    expect(compare(locked, currentForms()).additions).toEqual([]);
  });
});

describe('a lock', () => {
  const envelope = z.strictObject({ id: z.string(), position: z.int() });
  const opened = { ticketId: z.string(), sizeBytes: z.int().nonnegative() };
  const closed = z.strictObject({ ticketId: z.string() });
  const forms = (events: Record<string, z.ZodType>, around: z.ZodType = envelope): EventForms => ({
    envelope: formOf(around),
    events: Object.fromEntries(Object.entries(events).map(([type, schema]) => [type, formOf(schema)])),
  });
  const locked = forms({ Opened: z.strictObject(opened), Closed: closed });

  it('lets an event be added, and asks for it to be locked', () => {
    const current = forms({ Opened: z.strictObject(opened), Reopened: closed, Closed: closed });
    expect(compare(locked, current)).toEqual({ breaches: [], additions: ['Reopened'] });
  });

  it('lets an enum have more values, and no fewer', () => {
    const of = (...values: [string, ...string[]]) => forms({ Opened: z.strictObject({ kind: z.enum(values) }) });
    const additions = ['Opened properties.kind.enum'];
    expect(compare(of('bug'), of('wish', 'bug'))).toEqual({ breaches: [], additions });
    expect(compare(of('wish', 'bug'), of('bug', 'task')).breaches).toHaveLength(1);
  });

  const changes: [string, z.ZodType, string][] = [
    ['a field that is gone', z.strictObject({ ticketId: z.string() }), 'properties.sizeBytes, required'],
    ['a field more', z.strictObject({ ...opened, note: z.string() }), 'properties.note, required'],
    ['a field that is no longer required', z.strictObject({ ...opened, ticketId: z.string().optional() }), 'required'],
    ['another type', z.strictObject({ ...opened, ticketId: z.int() }), 'properties.ticketId'],
    ['a narrower range', z.strictObject({ ...opened, sizeBytes: z.int().positive() }), 'properties.sizeBytes'],
    ['unknown fields let in', z.looseObject(opened), 'additionalProperties'],
  ];
  it.each(changes)('is broken by %s, and says of which event and where', (_change, schema, at) => {
    const [problem, ...others] = compare(locked, forms({ Opened: schema, Closed: closed })).breaches;
    expect(others).toEqual([]);
    expect(problem).toMatch(/^Opened was released and has changed at /);
    expect(problem).toContain(at.split(', ')[0]);
  });

  it('is broken by an event that is gone', () => {
    expect(compare(locked, forms({ Opened: z.strictObject(opened) })).breaches).toEqual([
      'Closed was released and is gone: ledgers hold it, so it must stay readable. Put it back.',
    ]);
  });

  it('lets a field be added to the envelope that may be left out, at any depth, and no other', () => {
    const context = (more: Record<string, z.ZodType> = {}) =>
      z.strictObject({ id: z.string(), context: z.strictObject({ actor: z.string(), ...more }) });
    const of = (more?: Record<string, z.ZodType>) => forms({}, context(more));
    const additions = ["the envelope's context.address"];
    expect(compare(of(), of({ address: z.string().optional() }))).toEqual({ breaches: [], additions });
    expect(compare(of(), of({ address: z.string() })).breaches).toHaveLength(1);
    expect(compare(of({ address: z.string().optional() }), of()).breaches).toHaveLength(1);
  });

  it('is broken by another envelope', () => {
    const current = forms({ Opened: z.strictObject(opened), Closed: closed }, z.strictObject({ id: z.string() }));
    expect(compare(locked, current).breaches).toEqual([
      'The envelope of all events has changed at properties.position, required. Put it back.',
    ]);
  });
});
