/**
 * Takes one backup in a process of its own. It gets a job over its standard input, and gives the backup's bytes and what is said of
 * it over two pipes. It knows no ledger, no vault and no secret but those of this one server.
 */
import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { ParentBackup } from '../engine.js';
import { engineFor } from '../engines.js';
import { startWatchdog } from './child-watchdog.js';
import { type Frame, FrameWriter, readFrames } from './frames.js';
import { backupJob, faultAsText, mostBytes, types } from './messages.js';

const descriptors = { messages: 3, data: 4 } as const;

const input = readFrames(new Socket({ fd: 0, readable: true, writable: false }), mostBytes.message);
const messages = new FrameWriter(new Socket({ fd: descriptors.messages, readable: false, writable: true }));
const data = new FrameWriter(new Socket({ fd: descriptors.data, readable: false, writable: true }));

/** When the host has no memory left, this process is to be ended before any other. */
function goFirst(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // Other systems have no such file, and the limit of memory holds all the same.
  }
}

async function nextFrame(): Promise<Frame> {
  const { value } = await input.next();
  if (!value) throw new Error('the owner of this process is gone');
  return value;
}

/** Asks for an object of the parent, and gives it while it comes. */
async function* objectOfParent(name: string): AsyncGenerator<Buffer> {
  await messages.write(types.object, name);
  for (;;) {
    const { type, payload } = await nextFrame();
    if (type === types.objectEnd) return;
    if (type !== types.data) throw new Error(payload.toString('utf8'));
    yield payload;
  }
}

async function takeBackup(): Promise<void> {
  const job = backupJob.parse(JSON.parse((await nextFrame()).payload.toString('utf8')));
  const { datastoreType, backupId } = job;
  const parent: ParentBackup | undefined = job.parent
    ? { manifest: job.parent, open: (name) => Readable.from(objectOfParent(name), { objectMode: false }) }
    : undefined;
  const signal = new AbortController().signal;
  const running = await engineFor(datastoreType).backup(job.target, { backupId, signal, parent });
  // It may fail while nobody takes the bytes, and is told then.
  running.result.catch(fail);
  await messages.write(types.begun, JSON.stringify({ estimatedBytes: running.estimatedBytes }));
  for await (const { name, source } of running.objects) {
    await data.write(types.object, name);
    for await (const chunk of source) await data.write(types.data, chunk);
    await data.write(types.objectEnd);
  }
  await data.write(types.allObjects);
  await messages.write(types.result, JSON.stringify(await running.result));
  await Promise.all([data.end(), messages.end()]);
  process.exit(0);
}

async function fail(error: unknown): Promise<void> {
  await messages.write(types.fault, faultAsText(error));
  await messages.end();
  process.exit(1);
}

goFirst();
startWatchdog();
takeBackup().catch(fail);
