import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Link, Span, SpanContext } from '@opentelemetry/api';
import { trace } from '@opentelemetry/api';
import { begunBy, causedBy, Fault } from '@strongroom/contracts';
import { inOwnTrace, inSpan, logFieldsOfSpan, outsideSpans, tracedContext, useSpans, withNewTrace } from './spans.js';
import { spanIn, traceparentOf } from './traceparent.js';

const trace1 = '1'.repeat(32);
const trace2 = '2'.repeat(32);
const place = (traceId: string, span: string) => `00-${traceId}-${span.repeat(16)}-01`;
const contextOf = (traceparent?: string) => ({ ...begunBy('spec', 'request'), ...(traceparent && { traceparent }) });

describe('a place in a trace', () => {
  it('is read as it is written', () => {
    const text = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const read = spanIn(text);
    expect(read).toMatchObject({
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
      spanId: '00f067aa0ba902b7',
      traceFlags: 1,
    });
    expect(traceparentOf(read as SpanContext)).toBe(text);
  });

  it('of a newer version is read by what it has in common, and only its bit for sampling counts', () => {
    expect(spanIn(`01-${trace1}-${'a'.repeat(16)}-fe`)).toMatchObject({ traceId: trace1, traceFlags: 0 });
  });

  it.each([
    '',
    `00-${'0'.repeat(32)}-${'a'.repeat(16)}-01`,
    `00-${trace1}-${'0'.repeat(16)}-01`,
    `ff-${trace1}-${'a'.repeat(16)}-01`,
    `00-${trace1.toUpperCase().replaceAll('1', 'A')}-${'a'.repeat(16)}-01`,
    `00-${trace1}-${'a'.repeat(16)}-01-more`,
  ])('is not read from %p', (text) => expect(spanIn(text)).toBeUndefined());
});

describe('spans', () => {
  const begun: { name: string; parent: string | undefined; links: string[]; message?: string | undefined }[] = [];
  const shortOf = ({ traceId, spanId }: SpanContext) => `${traceId[0]}/${spanId[0]}`;
  beforeEach(() => {
    begun.length = 0;
    useSpans({
      begin(name, { parent, links }: { parent: SpanContext | undefined; links: Link[] }): Span {
        const told = { name, parent: parent && shortOf(parent), links: links.map(({ context }) => shortOf(context)) };
        begun.push(told);
        const own = {
          traceId: parent?.traceId ?? '9'.repeat(32),
          spanId: String(begun.length).repeat(16),
          traceFlags: 1,
        };
        const span = trace.wrapSpanContext(own);
        span.setStatus = ({ message }) => {
          Object.assign(told, { message });
          return span;
        };
        return span;
      },
    });
  });
  afterEach(() => useSpans(undefined));
  const nothing = () => Promise.resolve();

  it('of work that one trace has asked for belong to it', async () => {
    await inSpan([place(trace1, 'a')], { name: 'one' }, nothing);
    await inSpan([place(trace1, 'a'), undefined, place(trace1, 'a'), place(trace1, 'b')], { name: 'batch' }, nothing);
    expect(begun).toEqual([
      { name: 'one', parent: '1/a', links: [] },
      { name: 'batch', parent: '1/a', links: ['1/b'] },
    ]);
  });

  it('of a batch of several traces are of none of them, and have a link to each', async () => {
    await inSpan([place(trace1, 'a'), place(trace2, 'b'), 'of no form'], { name: 'batch' }, nothing);
    expect(begun).toEqual([{ name: 'batch', parent: undefined, links: ['1/a', '2/b'] }]);
  });

  it('have so many links that a batch of any size is told', async () => {
    const places = Array.from(
      { length: 500 },
      (_, at) => `00-${at.toString(16).padStart(32, '7')}-${'a'.repeat(16)}-01`,
    );
    await inSpan(places, { name: 'batch' }, nothing);
    expect(begun[0]?.links).toHaveLength(128);
  });

  it('are not made for work that no trace has asked for, whatever runs around it', async () => {
    await inSpan([place(trace1, 'a')], { name: 'around' }, async () => {
      expect(logFieldsOfSpan()).toEqual({ trace_id: trace1, span_id: '1'.repeat(16) });
      await inSpan([undefined], { name: 'other' }, async () => expect(logFieldsOfSpan()).toEqual({}));
      outsideSpans(() => expect(logFieldsOfSpan()).toEqual({}));
    });
    expect(begun.map(({ name }) => name)).toEqual(['around']);
  });

  it('give their place to the events that are recorded within them, and to no event of another trace', async () => {
    const cause = { id: 'e', context: contextOf(place(trace1, 'a')) };
    await inSpan([place(trace1, 'a')], { name: 'around' }, async () => {
      expect(tracedContext(causedBy(cause, 'spec')).traceparent).toBe(place(trace1, '1'));
      expect(tracedContext(contextOf(place(trace2, 'b'))).traceparent).toBe(place(trace2, 'b'));
      expect(tracedContext(contextOf())).toEqual(contextOf());
    });
  });

  it('of what is done again and again are a trace each time, with a link to what it follows from', async () => {
    await inOwnTrace([place(trace1, 'a'), undefined, place(trace1, 'a')], { name: 'scrub' }, nothing);
    await inOwnTrace([undefined], { name: 'scrub' }, nothing);
    expect(begun).toEqual([
      { name: 'scrub', parent: undefined, links: ['1/a'] },
      { name: 'scrub', parent: undefined, links: [] },
    ]);
  });

  it('begin a trace with what begins by itself', () => {
    expect(withNewTrace(contextOf(), { name: 'slot' }).traceparent).toBe(place('9'.repeat(32), '1'));
  });

  it('tell a failure by its code, and pass it on', async () => {
    class Broken extends Fault<'broken'> {
      constructor() {
        super('broken', false, 'the password of db.example.com is wrong');
      }
    }
    const fail = () => Promise.reject(new Broken());
    await expect(inSpan([place(trace1, 'a')], { name: 'fails' }, fail)).rejects.toThrow(Broken);
    expect(begun).toEqual([{ name: 'fails', parent: '1/a', links: [], message: 'broken' }]);
  });

  it('cost nothing where there is no collector: contexts and work are as they were', async () => {
    useSpans(undefined);
    const context = contextOf(place(trace1, 'a'));
    expect(tracedContext(context)).toBe(context);
    expect(withNewTrace(context, { name: 'slot' })).toBe(context);
    const work = Promise.resolve('done');
    expect(inSpan([place(trace1, 'a')], { name: 'work' }, () => work)).toBe(work);
    expect(inOwnTrace([place(trace1, 'a')], { name: 'work' }, () => work)).toBe(work);
    expect([await work, begun, logFieldsOfSpan()]).toEqual(['done', [], {}]);
  });
});
