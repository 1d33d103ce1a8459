import { describe, expect, it } from '@jest/globals';
import {
  changeInstanceRequest,
  createBackupRequest,
  createScheduleRequest,
  registerInstanceRequest,
  updateScheduleRequest,
} from '@strongroom/contracts';
import type { z } from 'zod';
import { HttpFault } from './http-fault.js';
import { idInPath, parseBody } from './parse.js';

const id = '44b277eb-39be-4921-be31-3d61b43651d7';

/** A request that is right, and what its fields may not be: `[field, wrong values, what the answer says of it]`. */
interface Form {
  schema: z.ZodType;
  right: object;
  required: readonly string[];
  /** A field that is null counts as absent. */
  nullable: readonly string[];
  wrong: readonly (readonly [field: string, values: readonly unknown[], says: string])[];
}

const notIntegers = ['1', '', 1.5, true, false, [], [1], {}, Number.NaN, Number.POSITIVE_INFINITY];
const notTexts = [0, 1, true, [], ['x'], {}];
const timing = (what: string) =>
  [
    [`${what}.day_of_week`, [...notIntegers, -1, 8, 2 ** 53], 'must be an integer from 0 to 7'],
    [`${what}.hour`, [...notIntegers, -1, 24], 'must be an integer from 0 to 23'],
    [`${what}.minute`, [...notIntegers, -1, 60], 'must be an integer from 0 to 59'],
    [`${what}.full_backup_retention`, [...notIntegers, 0, -1, 10_001], 'must be an integer from 1 to 10000'],
  ] as const;

const forms: Record<string, Form> = {
  'a schedule to create': {
    schema: createScheduleRequest,
    right: {
      schedule: {
        action: 'backup',
        instance_id: id,
        source_id: id,
        source_type: 'instance',
        day_of_week: 0,
        hour: 14,
        minute: 30,
        full_backup_retention: 2,
        copy_to: ['IAD', 'ORD'],
        day_of_month: null,
        month: null,
      },
    },
    required: ['schedule', 'schedule.action', 'schedule.day_of_week', 'schedule.hour', 'schedule.minute'],
    nullable: [
      'schedule.instance_id',
      'schedule.source_id',
      'schedule.source_type',
      'schedule.full_backup_retention',
      'schedule.copy_to',
      'schedule.day_of_month',
      'schedule.month',
    ],
    wrong: [
      ['schedule', [1, 'x', [], true], 'must be an object'],
      ['schedule.action', [...notTexts, 'Backup', 'restore', ''], 'must be "backup"'],
      ['schedule.instance_id', notTexts, 'must be a UUID'],
      ['schedule.instance_id', ['', 'x', `${id}0`, `{${id}}`, id.replaceAll('-', '')], 'must be a lower-case UUID'],
      ['schedule.source_id', ['x'], 'must be a lower-case UUID'],
      ['schedule.source_type', [...notTexts, 'Instance', 'replica'], 'must be "instance" or "ha"'],
      ...timing('schedule'),
      ['schedule.copy_to', ['IAD', 'IAD,ORD', 1, true, {}], 'must be an array of names of regions'],
      ['schedule.copy_to', [['IAD', 'IAD']], 'must not name a region twice'],
      ['schedule.copy_to.0', [1, null, ['IAD'], {}], 'must be the name of a region'],
      ['schedule.day_of_month', [1, '*', 0], 'can only be null'],
      ['schedule.month', [1, '*', 0], 'can only be null'],
    ],
  },
  'a schedule to change': {
    schema: updateScheduleRequest,
    right: {
      schedule: {
        day_of_week: 7,
        hour: 0,
        minute: 0,
        full_backup_retention: 1,
        copy_to: [],
        paused: true,
        run_now: true,
      },
    },
    required: ['schedule'],
    nullable: [
      'schedule.day_of_week',
      'schedule.hour',
      'schedule.minute',
      'schedule.full_backup_retention',
      'schedule.copy_to',
      'schedule.paused',
      'schedule.run_now',
    ],
    wrong: [
      ['schedule', [1, 'x', [], true], 'must be an object'],
      ...timing('schedule'),
      ['schedule.copy_to', [1, true, {}], 'must be an array of names of regions'],
      ['schedule.copy_to', ['IAD,IAD', ['IAD', 'IAD']], 'must not name a region twice'],
      ['schedule.paused', [0, 1, 'true', [], {}], 'must be true or false'],
      ['schedule.run_now', [0, 1, 'yes', 'True', [], {}], 'must be true or false'],
    ],
  },
  'a backup to take': {
    schema: createBackupRequest,
    right: {
      backup: {
        name: 'before the migration',
        instance: id,
        description: 'all of it\nand more',
        parent_id: id,
        incremental: 1,
        copy_to: ['IAD'],
        is_automated: 1,
        backup_type: 'snapshot',
        swift_container: null,
        source: { anything: [1] },
      },
    },
    required: ['backup', 'backup.name', 'backup.instance'],
    nullable: ['backup.description', 'backup.parent_id', 'backup.incremental', 'backup.copy_to'],
    wrong: [
      ['backup', [1, 'x', [], true], 'must be an object'],
      ['backup.name', [...notTexts, '', 'x'.repeat(65)], 'must be a string of 1 to 64 characters'],
      ['backup.name', ['-', '   ', '🐘'], 'must have at least one letter or digit'],
      ['backup.name', ['a\0b', 'a\nb', 'a\u007fb', 'a\ud83d'], 'must not have control characters'],
      ['backup.instance', [...notTexts], 'must be a UUID'],
      ['backup.instance', ['', 'x'], 'must be a lower-case UUID'],
      ['backup.description', [...notTexts, 'x'.repeat(1_001)], 'must be a string of at most 1000 characters'],
      ['backup.description', ['\0', '\udc18'], 'must not have NUL or broken characters'],
      ['backup.parent_id', ['x', '-1'], 'must be a lower-case UUID'],
      ['backup.incremental', [2, -1, '1', 'true', [], {}], 'must be 0, 1, true or false'],
      ['backup.copy_to', ['IAD', 1, {}], 'must be an array of names of regions'],
    ],
  },
  'an instance to register': {
    schema: registerInstanceRequest,
    right: {
      instance: {
        name: 'orders',
        datastore: { type: 'postgresql', version: '18' },
        connection: {
          host: 'db.example.com',
          port: 5432,
          user: 'backup',
          password: '',
          database: 'orders',
          tls: 'verify-full',
        },
      },
    },
    required: [
      'instance',
      'instance.name',
      'instance.datastore',
      'instance.datastore.type',
      'instance.datastore.version',
      'instance.connection',
      'instance.connection.host',
      'instance.connection.port',
      'instance.connection.user',
      'instance.connection.password',
    ],
    nullable: [
      'instance.connection.database',
      'instance.connection.tls',
      'instance.connection.ca_certificate',
      'instance.connection.client_certificate',
      'instance.connection.client_key',
    ],
    wrong: [
      ['instance', [1, 'x', [], true], 'must be an object'],
      ['instance.name', [...notTexts, '', 'x'.repeat(256)], 'must be a string of 1 to 255 characters'],
      ['instance.name', ['a\0b', 'a\tb', '\ud83d'], 'must not have control characters'],
      ['instance.datastore', [1, 'postgresql', []], 'must be an object'],
      ['instance.datastore.type', [...notTexts, 'mysql', 'PostgreSQL', ''], 'must be "postgresql"'],
      ['instance.datastore.version', [...notTexts, ''], 'must be a string of 1 to 32 characters'],
      ['instance.datastore.version', ['latest', '18.', '.5', '18-alpine'], 'must be a version such as'],
      ['instance.connection', [1, 'db:5432', []], 'must be an object'],
      ['instance.connection.host', [...notTexts, '', 'x'.repeat(256)], 'must be a string of 1 to 255 characters'],
      ['instance.connection.host', ['/var/run/postgresql', '@socket', 'a b', 'db/x', 'a,b'], 'must be a host name'],
      [
        'instance.connection.host',
        ['db:5432', '10.0.0.1:5432', '[::1]', '[::1]:5432', 'db%eth0'],
        'must be a host name',
      ],
      ['instance.connection.port', [...notIntegers, 0, 65_536], 'must be an integer from 1 to 65535'],
      ['instance.connection.user', [...notTexts, '', 'x'.repeat(64)], 'must be a string of 1 to 63 characters'],
      ['instance.connection.password', [...notTexts, 'x'.repeat(1_025)], 'must be a string of at most 1024 characters'],
      ['instance.connection.password', ['\0'], 'must not have NUL'],
      ['instance.connection.database', [...notTexts, '', 'x'.repeat(64)], 'must be a string of 1 to 63 characters'],
      [
        'instance.connection.tls',
        [...notTexts, 'prefer', ''],
        'must be "disable", "require", "verify-ca" or "verify-full"',
      ],
      ['instance.connection.client_key', [...notTexts, 'x'.repeat(32_769)], 'must be a string of at most 32768'],
    ],
  },
  'a change of an instance': {
    schema: changeInstanceRequest,
    right: {
      instance: {
        name: 'orders',
        connection: { host: 'db', port: 5432, user: 'backup', password: '', database: 'orders', tls: 'verify-ca' },
        verify: false,
      },
    },
    required: ['instance'],
    nullable: [
      'instance.name',
      'instance.connection',
      'instance.connection.host',
      'instance.connection.port',
      'instance.connection.user',
      'instance.connection.password',
      'instance.connection.database',
      'instance.connection.tls',
      'instance.verify',
      'instance.configuration',
      'instance.replica_of',
      'instance.slave_of',
      'instance.access',
    ],
    wrong: [
      ['instance.name', [...notTexts, ''], 'must be a string of 1 to 255 characters'],
      ['instance.connection.host', ['/var/run/postgresql', 'a b'], 'must be a host name'],
      ['instance.connection.port', [...notIntegers, 0], 'must be an integer from 1 to 65535'],
      ['instance.verify', [0, 1, 'false', []], 'must be true or false'],
      ['instance.configuration', ['x', 1, {}, true], 'can only be null'],
    ],
  },
};

/** A deep copy of the body with one field set, or left out when the value is undefined. */
function having(body: object, path: string, value: unknown): object {
  const copy = structuredClone(body);
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let parent: object = copy;
  for (const key of keys) {
    const next: unknown = Reflect.get(parent, key);
    if (typeof next !== 'object' || next === null) throw new TypeError(`${path} leads nowhere`);
    parent = next;
  }
  if (value === undefined) Reflect.deleteProperty(parent, last);
  else Reflect.set(parent, last, value);
  return copy;
}

function answerTo(schema: z.ZodType, body: unknown): string {
  try {
    parseBody(schema, body);
    return 'taken';
  } catch (error) {
    if (!(error instanceof HttpFault) || error.type !== 'badRequest') throw error;
    return error.message;
  }
}

describe.each(Object.entries(forms))('%s', (_, { schema, right, required, nullable, wrong }) => {
  it('is taken when it is right', () => {
    expect(answerTo(schema, right)).toBe('taken');
  });

  it.each(required)('is refused without %s, by name', (field) => {
    expect(answerTo(schema, having(right, field, undefined))).toMatch(`${field}: is required, and must be`);
    expect(answerTo(schema, having(right, field, null))).toMatch(`${field}: must be`);
  });

  it.each(nullable)('may leave %s out, or null', (field) => {
    expect(answerTo(schema, having(right, field, undefined))).toBe('taken');
    expect(answerTo(schema, having(right, field, null))).toBe('taken');
  });

  it.each(wrong)('is refused when %s is one of %j: it %s', (field, values, says) => {
    for (const value of values) {
      expect([value, answerTo(schema, having(right, field, value))]).toEqual([
        value,
        expect.stringContaining(`${field}: ${says}`),
      ]);
    }
  });

  it('is refused with a field that there is not, by name, in every object of it', () => {
    for (const name of ['surprise', 'Schedule', 'constructor', 'toString']) {
      expect(answerTo(schema, having(right, name, 1))).toBe(`${name}: there is no such field.`);
    }
    const objects = ['schedule', 'backup', 'instance', 'instance.datastore', 'instance.connection'];
    for (const path of objects.filter((each) => required.includes(each))) {
      expect(answerTo(schema, having(right, `${path}.surprise`, null))).toBe(
        `${path}.surprise: there is no such field.`,
      );
    }
  });

  it('is refused when it sets a prototype', () => {
    expect(answerTo(schema, JSON.parse('{"__proto__": {"admin": true}}'))).toMatch('__proto__: there is no such field');
  });

  it('is refused when it is no object', () => {
    for (const body of [undefined, null, 1, 'x', [], [right], true]) {
      expect(answerTo(schema, body)).toBe('The body must be a JSON object.');
    }
  });
});

describe('a request', () => {
  it('is told everything that is wrong with it at once', () => {
    const message = answerTo(updateScheduleRequest, { schedule: { hour: 24, minute: '0', when: 1 } });
    expect(message).toBe(
      'schedule.hour: must be an integer from 0 to 23; schedule.minute: must be an integer from 0 to 59; schedule.when: there is no such field.',
    );
  });

  it('is not answered at greater length than it is worth', () => {
    const names = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`${index}`.padStart(500, 'x'), 1]));
    expect(answerTo(updateScheduleRequest, { schedule: names }).length).toBeLessThan(1_500);
  });

  it('may write ids in any case, and regions of a change as one text', () => {
    const { backup } = parseBody(createBackupRequest, { backup: { name: 'x', instance: id.toUpperCase() } });
    expect(backup.instance).toBe(id);
    const change = (copyTo: unknown) => parseBody(updateScheduleRequest, { schedule: { copy_to: copyTo } }).schedule;
    expect(change('DFW,IAD').copy_to).toEqual(['DFW', 'IAD']);
    expect(change(' IAD , ORD').copy_to).toEqual(['IAD', 'ORD']);
    expect(change('').copy_to).toEqual([]);
  });

  it('may ask for a run, or for none, by word or by truth value', () => {
    const asked = (value: unknown) =>
      parseBody(updateScheduleRequest, { schedule: { run_now: value } }).schedule.run_now;
    expect([true, 'true', false, 'false', null].map(asked)).toEqual([true, true, false, false, undefined]);
  });
});

describe('an id in a path', () => {
  it('names nothing when it is malformed', () => {
    expect(idInPath('Backup', id)).toBe(id);
    for (const wrong of ['', 'nightly', id.toUpperCase(), `${id} `, '\0', '../x', 'x'.repeat(10_000)]) {
      expect(() => idInPath('Backup', wrong)).toThrow(
        expect.objectContaining({
          type: 'itemNotFound',
          message: expect.stringMatching(/^Backup .{2,80} was not found/),
        }),
      );
    }
  });
});
