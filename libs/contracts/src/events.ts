/**
 * Every event Strongroom records, spelled once: the schema gives the type, the parser and the documentation.
 *
 * Events are facts in the past tense. A released event is frozen by `events.lock.json`: adding is free, changing is not.
 * An event tells the whole of its fact, so that a subscriber needs no second look-up.
 */
import { z } from 'zod';
import { backupType, byteCount, datastore, instant, regionName, sha256Hex, uuid } from './primitives.js';
import { copyTo, dayOfWeek, fullBackupRetention, hour, minute } from './schedule-timing.js';
import { engineFacts } from './vault-manifest.js';

const scheduleDefinition = {
  dayOfWeek,
  hour,
  minute,
  fullBackupRetention,
  copyTo,
  paused: z.boolean(),
};

const reason = z.string().min(1).max(2_000);
const ground = z.string().min(1).max(64);
const attempt = z.int().min(1);

/** Where and how a database server is reached. The password is not here: a credential is never in an event. */
export const endpoint = z.strictObject({
  host: z.string().min(1).max(255),
  port: z.int().min(1).max(65_535),
  user: z.string().min(1).max(63),
  database: z.string().min(1).max(63),
  tls: z.enum(['disable', 'require', 'verify-full']),
});
export type Endpoint = z.infer<typeof endpoint>;

export const eventSchemas = {
  /** A database server was registered with an account. */
  InstanceRegistered: z.strictObject({ instanceId: uuid, name: z.string().min(1).max(255), datastore, endpoint }),
  /** A new server is to be built from a backup. */
  InstanceBuildRequested: z.strictObject({
    instanceId: uuid,
    name: z.string().min(1).max(255),
    datastore,
    backupId: uuid,
  }),
  /** The server runs, and is an instance like any other from now on. */
  InstanceBuilt: z.strictObject({
    instanceId: uuid,
    name: z.string().min(1).max(255),
    datastore,
    backupId: uuid,
    /** Where the backup was taken from. */
    region: regionName,
    endpoint,
  }),
  InstanceBuildFailed: z.strictObject({ instanceId: uuid, backupId: uuid, code: z.string().min(1), reason }),
  /**
   * Somebody has said that the server of a lineage is the one that is meant: once the lineage has as many cycles of its own
   * as are kept, retention lets go of what the other lineages named here have that is older.
   */
  LineageAccepted: z.strictObject({ instanceId: uuid, lineage: uuid, inPlaceOf: z.array(uuid).min(1) }),
  /** The instance is backed up no more; its backups stay. */
  InstanceForgotten: z.strictObject({ instanceId: uuid }),

  ScheduleCreated: z.strictObject({ scheduleId: uuid, instanceId: uuid, ...scheduleDefinition }),
  /** Carries the whole definition as it is from now on. */
  ScheduleUpdated: z.strictObject({ scheduleId: uuid, instanceId: uuid, ...scheduleDefinition }),
  /** The backups that the schedule made stay. */
  ScheduleDeleted: z.strictObject({ scheduleId: uuid, instanceId: uuid }),

  /** A slot came due and no backup was begun, because of what was going on. Takes the place of the slot's backup. */
  SlotSkipped: z.strictObject({ scheduleId: uuid, instanceId: uuid, slotAt: instant, reason }),
  /** A slot passed while nothing was there to fire it, and it is too late now. Takes the place of the slot's backup. */
  SlotMissed: z.strictObject({ scheduleId: uuid, instanceId: uuid, slotAt: instant, reason }),

  BackupRequested: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    /** Null for a backup that a client asked for by itself. */
    scheduleId: uuid.nullable(),
    /** The nominal time of the slot; null unless the trigger is `slot`. */
    slotAt: instant.nullable(),
    trigger: z.enum(['slot', 'run-now', 'request']),
    type: backupType,
    parentId: uuid.nullable(),
    name: z.string().min(1).max(64),
    description: z.string().max(1_000).nullable(),
    datastore,
    copyTo,
  }),
  /** A runner has leased the backup. A higher attempt means that the runner before it was lost. */
  BackupStarted: z.strictObject({ backupId: uuid, attempt, region: regionName, runner: z.string().min(1) }),
  /** An incremental was planned or asked for, and the backup is full, or will be. */
  BackupMadeFull: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    /** What it was to be built on; null when there was nothing. */
    plannedParentId: uuid.nullable(),
    /** A kebab word, for programs; the reason is for people. */
    ground,
    reason,
  }),
  /**
   * Which history of which server the backup is a state of: the lineage is named by the first backup of it. Recorded with
   * the completion; later, for a backup that completed before lineages were recorded.
   */
  BackupIdentified: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    lineage: uuid,
    /** By which the engine tells whether another backup is a later state of the same; null when they can't be told. */
    facts: engineFacts.nullable(),
  }),
  /** The server that the backup was taken of is not the one of the backup before it, or not that one's later state. */
  AnotherServerFound: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    lineage: uuid,
    formerLineage: uuid,
    /** The newest backup of the former lineage. */
    formerBackupId: uuid,
    reason,
  }),
  /** The backup is whole in the home region's vault, and its bytes were read back and matched. */
  BackupCompleted: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    type: backupType,
    parentId: uuid.nullable(),
    attempt,
    /** The home region, whose vault holds it. */
    region: regionName,
    /** Where in the vault: a path or key prefix that the vault understands. */
    location: z.string().min(1),
    /** Bytes stored in the vault, after compression. */
    sizeBytes: byteCount,
    /** Bytes that the server sent, before compression. */
    rawBytes: byteCount,
    /** Of the backup's manifest, which names the SHA-256 of every object: one digest proves the whole. */
    sha256: sha256Hex,
    copyTo,
    startedAt: instant,
  }),
  BackupFailed: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    attempt: z.int().min(0),
    code: z.string().min(1),
    reason,
  }),

  /** The backup is to be removed from every vault: by itself, or because of what it was made from. */
  BackupDeletionRequested: z.strictObject({
    backupId: uuid,
    instanceId: uuid,
    scheduleId: uuid.nullable(),
    trigger: z.enum(['request', 'retention', 'cascade']),
  }),
  /** No vault holds anything of the backup any more. */
  BackupDeleted: z.strictObject({ backupId: uuid, instanceId: uuid, scheduleId: uuid.nullable() }),
  /** Something of the backup could not be removed. What is left of it is not to be relied on; the deletion can be asked for again. */
  BackupDeletionFailed: z.strictObject({ backupId: uuid, instanceId: uuid, code: z.string().min(1), reason }),

  /** A copy of a completed backup is owed to a region. */
  CopyRequested: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    instanceId: uuid,
    region: regionName,
    sourceRegion: regionName,
    parentId: uuid.nullable(),
    sizeBytes: byteCount,
    sha256: sha256Hex,
  }),
  CopyStarted: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    region: regionName,
    attempt,
    replicator: z.string().min(1),
  }),
  /** The attempt came to nothing; another follows at `retryAt`. */
  CopyAttemptFailed: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    region: regionName,
    attempt,
    code: z.string().min(1),
    reason,
    retryAt: instant,
  }),
  /** Every object of the backup is in the region, read back and matched against the backup's SHA-256. */
  CopyCompleted: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    instanceId: uuid,
    region: regionName,
    attempt,
    location: z.string().min(1),
    sizeBytes: byteCount,
    sha256: sha256Hex,
    startedAt: instant,
  }),
  /** The copy is given up: no further attempt could succeed. */
  CopyFailed: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    region: regionName,
    attempt,
    code: z.string().min(1),
    reason,
  }),
  /** The attempt that completes next has its bytes from another region than the copy was asked for from. */
  CopySourceChanged: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    region: regionName,
    attempt,
    sourceRegion: regionName,
  }),
  /** The copy can't be made: the deployment has no vault of its region any more. It goes on when there is one again. */
  CopyStranded: z.strictObject({ copyId: uuid, backupId: uuid, region: regionName, reason }),
  /** A completed copy is to be read back once more, and made anew if it is not whole. */
  CopyCheckRequested: z.strictObject({ copyId: uuid, backupId: uuid, instanceId: uuid, region: regionName }),
  /** Read back as asked: every object is what was backed up. */
  CopyChecked: z.strictObject({ copyId: uuid, backupId: uuid, region: regionName }),
  /** A completed copy was found missing or altered: the region is owed it again. */
  CopyLost: z.strictObject({
    copyId: uuid,
    backupId: uuid,
    instanceId: uuid,
    region: regionName,
    sizeBytes: byteCount,
    code: z.string().min(1),
    reason,
  }),
  /** The copy goes with its backup: no attempt may end it otherwise from now on. The region may still hold it. */
  CopyDeletionRequested: z.strictObject({ copyId: uuid, backupId: uuid, instanceId: uuid, region: regionName }),
  /**
   * The copy is gone. Where no `CopyDeletionRequested` comes before it an older version has recorded it: the region may
   * have been emptied only afterwards.
   */
  CopyDeleted: z.strictObject({ copyId: uuid, backupId: uuid, region: regionName }),
} as const;

export type EventType = keyof typeof eventSchemas;
export const eventTypes = Object.keys(eventSchemas) as EventType[];
export const eventType = z.enum(eventTypes as [EventType, ...EventType[]]);

export type EventData<T extends EventType> = z.infer<(typeof eventSchemas)[T]>;

/** An event as it is decided: what happened, not yet where in the ledger. */
export type NewEvent<T extends EventType = EventType> = { [K in T]: { type: K; data: EventData<K> } }[T];

/** By type of event, what follows from an event's data; from a type that is not named, nothing follows. */
export type PerEvent<Result> = { readonly [T in EventType]?: (data: EventData<T>) => Result };

/** What follows from an event. */
export function perEvent<Result, T extends EventType>(
  rules: PerEvent<Result>,
  { type, data }: { type: T; data: EventData<T> },
): Result | undefined {
  return rules[type]?.(data);
}

/** Who caused an event and by which request, carried from the first request through everything that follows. */
export const eventContext = z.strictObject({
  requestId: z.string().min(1).max(128),
  correlationId: z.string().min(1).max(128),
  /** The event that this one follows from. */
  causationId: uuid.nullable(),
  /** The token's name for a request, else the worker's. */
  actor: z.string().min(1).max(128),
});
export type EventContext = z.infer<typeof eventContext>;

export const envelope = z.strictObject({
  id: uuid,
  /** The place in the ledger; rises in commit order, with gaps. */
  position: z.int().positive(),
  stream: z.string().min(1),
  /** The place in the stream, from 1, without gaps. */
  version: z.int().positive(),
  type: eventType,
  accountId: z.string().min(1),
  /** The key of the order that the feed keeps: events of one instance arrive in ledger order. */
  instanceId: uuid,
  at: instant,
  data: z.unknown(),
  context: eventContext,
});

/** What every recorded event carries around its data. */
export type Envelope = Omit<z.infer<typeof envelope>, 'type' | 'data'>;

/** An event in the ledger. */
export type RecordedEvent<T extends EventType = EventType> = {
  [K in T]: Envelope & { type: K; data: EventData<K> };
}[T];

const newerEnvelope = envelope.extend({ type: z.string().min(1) });

/**
 * Parses an event from a ledger row or a broker message. Fields that this version does not know are left out: a newer one
 * has written them.
 * @throws {z.ZodError} when the envelope or the data is not of a known form
 */
export function parseEvent(input: unknown): RecordedEvent {
  const { type, data, ...rest } = tolerant(envelope, input);
  return { ...rest, type, data: tolerant(eventSchemas[type], data) } as RecordedEvent;
}

/**
 * As `parseEvent`, but an event that a newer version has added is a value, for readers who may pass over it. A known type
 * with a value that this version does not know counts as a newer type: `InstanceRegistered datastore.type=mariadb`.
 * @throws {z.ZodError} when the envelope or the data is not of a known form
 */
export function parseEventOrNewer(input: unknown): RecordedEvent | { newerType: string } {
  const { type, data } = tolerant(newerEnvelope, input);
  const known = eventType.safeParse(type).data;
  if (known === undefined) return { newerType: type };
  try {
    return parseEvent(input);
  } catch (error) {
    const value = error instanceof z.ZodError ? newerValue(known, data) : undefined;
    if (value === undefined) throw error;
    return { newerType: `${type} ${value}` };
  }
}

/** Whether this version knows what another one has passed over. @param newerType as `parseEventOrNewer` tells it */
export function isKnownType(newerType: string): boolean {
  const [, name = newerType, path, value] = /^(\w+) ([\w.]+)=(.*)$/s.exec(newerType) ?? [];
  const type = eventType.safeParse(name).data;
  if (type === undefined || path === undefined) return type !== undefined;
  const data = path.split('.').reduceRight<unknown>((inner, step) => ({ [step]: inner }), value);
  const issues = eventSchemas[type].safeParse(data).error?.issues ?? [];
  return !issues.some((issue) => `${path}.`.startsWith(`${issue.path.join('.')}.`));
}

/** The first value that an enum does not have, as `path=value`; undefined when something else is wrong with the data. */
function newerValue(type: EventType, data: unknown): string | undefined {
  const issues = eventSchemas[type].safeParse(data).error?.issues ?? [];
  const unknown = issues.filter(({ code }) => code !== 'unrecognized_keys');
  const values = unknown.map(({ code, path }) => ({ code, path, value: at(data, path) }));
  if (!values.every(({ code, value }) => code === 'invalid_value' && typeof value === 'string')) return undefined;
  const [first] = values;
  return first && `${first.path.join('.')}=${String(first.value)}`;
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, step) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, step) : undefined),
    value,
  );
}

/**
 * Checks an event that is to be recorded. What is written stays for ever, so here nothing is tolerated.
 * @throws {z.ZodError} when it is not of a known form
 */
export function checkNewEvent({ type, data }: NewEvent): void {
  eventSchemas[type].parse(data);
}

/** Parses by a strict schema what a version with more fields may have written. */
function tolerant<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const { data, error } = schema.safeParse(input);
  if (!error) return data;
  const known = error.issues.reduce(
    (left, issue) => (issue.code === 'unrecognized_keys' ? without(left, issue.path, issue.keys) : left),
    input,
  );
  return schema.parse(known);
}

function without(value: unknown, [step, ...path]: readonly PropertyKey[], keys: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((each, index) => (index === step ? without(each, path, keys) : each));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  if (step === undefined) return Object.fromEntries(entries.filter(([name]) => !keys.includes(name)));
  return Object.fromEntries(entries.map(([name, each]) => [name, name === step ? without(each, path, keys) : each]));
}
