/**
 * Takes or restores one backup in a process of its own. It gets a job and the bytes that it asks for over its standard input, and
 * gives a backup's bytes and what is said over two pipes. It knows no ledger, no vault and no secret but those of one server.
 */
import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { passedMemory } from '@strongroom/runtime/light';
import type { Login } from '../engine.js';
import { wholeEngineFor } from '../engines.js';
import { openedFrom, type SealedBackup } from '../open-backup.js';
import { startWatchdog } from './child-watchdog.js';
import { FrameWriter, readFrames } from './frames.js';
import { aliveMs, type BackupJob, endSignal, faultAsText, job, mostBytes, type RestoreJob, types } from './messages.js';
import { OwnersObjects } from './owners-objects.js';

const descriptors = { messages: 3, data: 4 } as const;
const progressMs = 200;

const stdin = new Socket({ fd: 0, readable: true, writable: false });
const input = readFrames(stdin, mostBytes.message);
const messages = new FrameWriter(new Socket({ fd: descriptors.messages, readable: false, writable: true }));
const data = new FrameWriter(new Socket({ fd: descriptors.data, readable: false, writable: true }));
const owner = new OwnersObjects(input, messages);
/** Aborted when the owner does not want the work any more. */
const ending = new AbortController();

/** When the host has no memory left, this process is to be ended before any other. */
function goFirst(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // Other systems have no such file, and the limit of memory holds all the same.
  }
}

/** A terminal or a supervisor may signal all processes at once. It is for the owner to say what ends. */
function leaveSignalsToOwner(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
}

/** Nothing is read any more then, so whatever waits for an object fails and removes what it has made. */
function endWhenTold(): void {
  process.on(endSignal, () => {
    ending.abort();
    stdin.destroy();
  });
}

async function perform(): Promise<void> {
  const asked = job.parse(JSON.parse((await owner.next()).payload.toString('utf8')));
  await (asked.is === 'backup' ? takeBackup(asked) : restore(asked));
  // A slow reader may be behind for long. Until it has everything, it is told that this process is alive.
  await data.end();
  await messages.end();
  process.exit(0);
}

const opened = (sealed: SealedBackup, index: number) => openedFrom(sealed, (name) => owner.object(index, name));

async function takeBackup({ datastoreType, target, backupId, parent }: BackupJob): Promise<void> {
  const onLogin = (login: Login) => void messages.write(types.login, JSON.stringify(login));
  const running = await wholeEngineFor(datastoreType).backup(
    { ...target, onLogin },
    {
      backupId,
      signal: ending.signal,
      parent: parent ? opened(parent, 0) : undefined,
    },
  );
  // It may fail while nobody takes the bytes, and is told then.
  running.result.catch(fail);
  await messages.write(types.begun, JSON.stringify({ estimatedBytes: running.estimatedBytes }));
  for await (const { name, source } of running.objects) {
    await data.write(types.object, name);
    for await (const chunk of source) {
      await data.write(types.data, chunk);
      passedMemory.passed(chunk.length);
    }
    await data.write(types.objectEnd);
  }
  await data.write(types.allObjects);
  await messages.write(types.result, JSON.stringify(await running.result));
}

async function restore({ datastoreType, chain, directory, options }: RestoreJob): Promise<void> {
  const { places, standsAlone, checksPages, acceptsBadPages } = options;
  let untoldBytes = 0;
  const tell = () => {
    if (untoldBytes > 0) void messages.write(types.progress, String(untoldBytes));
    untoldBytes = 0;
  };
  const telling = setInterval(tell, progressMs);
  const restored = await wholeEngineFor(datastoreType).restore(chain.map(opened), directory, {
    standsAlone,
    acceptsBadPages,
    ...(checksPages !== undefined && { checksPages }),
    places: new Map(places),
    signal: ending.signal,
    progress: (bytes) => {
      untoldBytes += bytes;
    },
  });
  clearInterval(telling);
  tell();
  await messages.write(types.result, JSON.stringify(restored));
}

async function fail(error: unknown): Promise<void> {
  await messages.write(types.fault, faultAsText(error));
  await messages.end();
  process.exit(1);
}

goFirst();
leaveSignalsToOwner();
endWhenTold();
startWatchdog();
setInterval(() => void messages.write(types.alive), aliveMs);
perform().catch(fail);
