/** A backup that a process of its own takes, as its owner sees it: the objects as they come, and what is said of them. */
import type { DatastoreType } from '@strongroom/contracts';
import { passedMemory } from '@strongroom/runtime/light';
import type { BackupOptions, EngineBackup, EngineObject, EngineResult, EngineTarget } from '../engine.js';
import { EngineFault } from '../engine-fault.js';
import type { OpenedBackup } from '../open-backup.js';
import { outcome } from '../outcome.js';
import { type ApartOptions, EngineChild } from './engine-child.js';
import { type Frame, readFrames } from './frames.js';
import { begun, login, mostBytes, objectName, result, sealed, types } from './messages.js';

export type TakeOptions = BackupOptions & { parent?: OpenedBackup | undefined };

export class BackupApart {
  private readonly child: EngineChild;
  private readonly begun = outcome<{ estimatedBytes: number | null }>();
  private readonly result = outcome<EngineResult>();
  private onLogin: EngineTarget['onLogin'];

  constructor(
    options: ApartOptions,
    private readonly asked: TakeOptions,
  ) {
    const { parent, signal } = asked;
    this.child = new EngineChild(options, {
      what: 'backup',
      user: options.user,
      given: parent ? [parent] : [],
      signal,
      told: (type, text) => this.told(type, text),
    });
    void this.child.failed.then((error) => {
      this.begun.reject(error);
      this.result.reject(error);
    });
  }

  async begin(datastoreType: DatastoreType, target: EngineTarget): Promise<EngineBackup> {
    const { backupId, parent } = this.asked;
    this.onLogin = target.onLogin;
    await this.child.begin({ is: 'backup', datastoreType, target, backupId, parent: parent ? sealed(parent) : null });
    const { estimatedBytes } = await this.begun.promise;
    return { objects: this.objects(), estimatedBytes, result: this.result.promise };
  }

  private told(type: string, text: string): void {
    if (type === types.login) this.onLogin?.(login.parse(JSON.parse(text)));
    else if (type === types.begun) this.begun.resolve(begun.parse(JSON.parse(text)));
    else if (type === types.result) this.result.resolve(result.parse(JSON.parse(text)));
    else throw new Error(`a message of type ${type}`);
  }

  private async *objects(): AsyncGenerator<EngineObject> {
    const frames = readFrames(this.child.data, mostBytes.data, types.data);
    for (;;) {
      const { type, payload } = await this.next(frames);
      if (type === types.allObjects) {
        this.child.data.destroy();
        return;
      }
      if (type !== types.object) throw this.child.fail(this.child.ended('what it gave is of no known form'));
      let isRead = false;
      const end = (isAll: boolean) => {
        isRead = isAll;
      };
      yield { name: objectName.parse(payload.toString('utf8')), source: this.content(frames, end) };
      if (!isRead) throw this.givenUp();
    }
  }

  private async *content(frames: AsyncGenerator<Frame>, end: (isAll: boolean) => void): AsyncGenerator<Buffer> {
    let isAll = false;
    try {
      for (;;) {
        const { type, payload } = await this.next(frames);
        isAll = type === types.objectEnd;
        if (isAll) return;
        if (type !== types.data) throw this.child.fail(this.child.ended('what it gave is of no known form'));
        yield payload;
        passedMemory.passed(payload.length);
      }
    } finally {
      end(isAll);
      if (!isAll) this.givenUp();
    }
  }

  /** @throws the fault, when the process has ended */
  private async next(frames: AsyncGenerator<Frame>): Promise<Frame> {
    const next = await frames.next().catch(() => undefined);
    if (next?.value) return next.value;
    throw await this.child.failed;
  }

  private givenUp(): EngineFault {
    return this.child.fail(new EngineFault('cancelled', 'The backup was given up by its reader.'));
  }
}
