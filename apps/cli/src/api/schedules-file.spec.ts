import { describe, expect, it } from '@jest/globals';
import { UsageFault } from '../command-fault.js';
import { readSchedules, writtenSchedules } from './schedules-file.js';

const whole = {
  instance: 'shop',
  at: '14:30',
  full_on: 'sunday',
  keep_fulls: 2,
  copy_to: ['IAD', 'ORD'],
  paused: false,
};
const read = (text: string) => readSchedules(text, 'f.yaml');

function refusal(text: string): string {
  try {
    read(text);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageFault);
    return String(error);
  }
  throw new Error('it was read');
}

describe('a file of schedules', () => {
  it('is read as it was written, whatever an instance is called', () => {
    for (const instance of ['shop', 'true', '12', 'a: b # c', '- ', '"', "it's", 'ü\u2028', '0x1f', '~'])
      expect(read(writtenSchedules([{ ...whole, instance }]))).toEqual([
        { ...whole, instance, place: expect.stringMatching(/^f\.yaml:\d+:\d+$/) },
      ]);
  });

  it('takes days and regions as a person writes them, and what it leaves out stays open', () => {
    const entries = read('schedules:\n  - {instance: a, at: 3:05, full_on: Sat, copy_to: [iad]}\n');
    expect(entries).toEqual([
      { instance: 'a', at: '03:05', full_on: 'saturday', copy_to: ['IAD'], place: 'f.yaml:2:16' },
    ]);
    expect(read('schedules: []')).toEqual([]);
  });

  it.each([
    [
      'an unknown field',
      'schedules:\n  - {instance: a, at: "1:00", full_on: sun,\n     copies: []}',
      'f.yaml:3:6: copies is no field',
    ],
    [
      'a field twice',
      'schedules:\n  - instance: a\n    at: "1:00"\n    at: "2:00"\n',
      'f.yaml:4:5: Map keys must be unique',
    ],
    ['a field that lacks', 'schedules:\n  - instance: a\n    at: "1:00"\n', 'f.yaml:2:5: full_on is missing'],
    [
      'a number for text',
      'schedules:\n  - instance: 12\n    at: "1:00"\n    full_on: sun',
      'f.yaml:2:15: instance must be the name',
    ],
    ['no time', 'schedules:\n  - instance: a\n    at: 24:00\n    full_on: sun', 'f.yaml:3:9: at must be a time'],
    [
      'text for a number',
      'schedules:\n  - {instance: a, at: "1:00", full_on: sun, keep_fulls: "2"}',
      'f.yaml:2:57: keep_fulls must be an integer',
    ],
    [
      'text for a truth',
      'schedules:\n  - {instance: a, at: "1:00", full_on: sun, paused: yes}',
      'f.yaml:2:53: paused must be true or false',
    ],
    [
      'a reason without a pause',
      'schedules:\n  - {instance: a, at: "1:00", full_on: sun, pause_reason: x}',
      'f.yaml:2:59: pause_reason is for',
    ],
    [
      'a region twice',
      'schedules:\n  - {instance: a, at: "1:00", full_on: sun, copy_to: [IAD, iad]}',
      'f.yaml:2:54: copy_to must not name a region twice',
    ],
    [
      'no region',
      'schedules:\n  - {instance: a, at: "1:00", full_on: sun, copy_to: [IAD, 7]}',
      'f.yaml:2:60: copy_to must be the name of a region',
    ],
    ['nothing', '', 'f.yaml:1:1: must be a map with the field schedules'],
    ['no list', 'schedules:\n', 'f.yaml:1:11: schedules must be a list'],
    ['another word', 'schedule: []\n', 'f.yaml:1:1: schedule is no field here'],
    ['no YAML', 'schedules: [\n', 'f.yaml:2:1: '],
    ['two documents', 'schedules: []\n---\nschedules: []\n', 'f.yaml:2:1: Source contains multiple documents'],
    ['a tag', 'schedules: !!js/function "x"\n', 'f.yaml:1:12: Unresolved tag'],
  ])('with %s is refused at its line and column', (_, text, problem) => {
    expect(refusal(text)).toContain(problem);
  });

  it('has all that is wrong told at once', () => {
    const said = refusal('schedules:\n  - {instance: a, at: 25:00, full_on: never}\n  - {instance: b}\n');
    for (const each of [':2:23: at must', ':2:39: full_on must', ':3:5: at is missing', ':3:5: full_on is missing'])
      expect(said).toContain(`f.yaml${each}`);
  });

  it('that would grow without end by its aliases is refused', () => {
    const levels = Array.from({ length: 12 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n}, `.repeat(9)}*a${n}]`);
    expect(refusal(`a0: &a0 [x]\n${levels.join('\n')}\nschedules: *a12\n`)).toContain('alias');
  });
});
