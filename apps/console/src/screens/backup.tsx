/** One backup: its chain as a picture, where its bytes are and when they were proven, what happened to it, and how it is restored. */
import type { BackupResource, CopyResource } from '@strongroom/contracts';
import { useState } from 'preact/hooks';
import { call } from '../api/call.js';
import { getBackupsId } from '../api/operations.js';
import { ChainPicture } from '../parts/chain-picture.js';
import { Explanation } from '../parts/explanation.js';
import { Instant } from '../parts/instant.js';
import { Mark, type Tone } from '../parts/mark.js';
import { Problem, useRead } from '../parts/reading.js';
import { Scrolled } from '../parts/scrolled.js';
import { Tested } from '../parts/tested.js';
import { scheduleAddress } from '../route.js';
import type { Shown } from '../shown.js';
import { bytesOf, left } from '../sizes.js';
import { RestoreDialog } from './restore-dialog.js';

/** A chain of more parts is told without the oldest of them. */
const mostParts = 50;

const statusWords: Readonly<Record<BackupResource['status'], [Tone, string]>> = {
  NEW: ['busy', 'Asked for'],
  BUILDING: ['busy', 'Running'],
  COMPLETED: ['good', 'Completed'],
  FAILED: ['bad', 'Failed'],
  DELETE_FAILED: ['warning', 'Its deletion has failed'],
};

export function BackupScreen({ id, known, accountId, now }: Shown & { id: string }) {
  const [isRestoring, setRestoring] = useState(false);
  const [newest] = known.events.filter(({ subject, data }) => subject.id === id || isOf(data, id));
  const { value: chain, problem } = useRead(() => chainOf(accountId, id), [accountId, id, newest?.id]);
  const backup = chain?.parts[0];
  if (!chain || !backup) return <Problem of={problem} />;
  const [tone, word] = statusWords[backup.status];
  const told = [...known.restorable.values()].find(({ instance_id }) => instance_id === backup.instance_id);
  return (
    <>
      <Problem of={problem} />
      <dl class="facts">
        <dt>Backup of</dt>
        <dd>
          {told ? (
            <a href={scheduleAddress(told.id)}>{told.instance_name ?? backup.instance_id}</a>
          ) : (
            backup.instance_id
          )}
          , id <code>{backup.id}</code>
        </dd>
        <dt>State</dt>
        <dd>
          <Mark tone={tone}>{word}</Mark> {backup.fault?.message}
        </dd>
        <dt>Asked for</dt>
        <dd>
          <Instant at={backup.created} now={now} />
        </dd>
        <dt>Completed</dt>
        <dd>{backup.completed ? <Instant at={backup.completed} now={now} /> : 'not yet'}</dd>
        <dt>Kind</dt>
        <dd>
          {backup.type}
          {backup.full_because && `: ${backup.full_because.reason}`}
        </dd>
        <dt>Encrypted for</dt>
        <dd>{backup.encrypted_for?.join(', ') ?? 'nobody: whoever has the vault can read it'}</dd>
      </dl>
      <p>
        <button type="button" class="main" disabled={backup.whole_in.length === 0} onClick={() => setRestoring(true)}>
          Restore
        </button>
      </p>
      <h2>What it is built on</h2>
      <ChainPicture parts={chain.parts} hasMore={chain.hasMore} />
      <h2>Where it is</h2>
      <Copies backup={backup} now={now} />
      <h2>What happened</h2>
      <Explanation accountId={accountId} id={id} now={now} when={newest?.id} />
      {isRestoring && <RestoreDialog parts={chain.parts} closed={() => setRestoring(false)} />}
    </>
  );
}

function isOf(data: unknown, backupId: string): boolean {
  return typeof data === 'object' && data !== null && 'backupId' in data && data.backupId === backupId;
}

export interface Chain {
  /** The backup, what it is built on, what that is built on, and so on to the full one. */
  parts: BackupResource[];
  hasMore: boolean;
}

async function chainOf(accountId: string, id: string): Promise<Chain> {
  const parts: BackupResource[] = [];
  for (let next: string | null = id; next !== null && parts.length < mostParts; ) {
    const { backup }: { backup: BackupResource } = await call(getBackupsId, { parts: { accountId, id: next } });
    parts.push(backup);
    next = backup.parent_id;
  }
  return { parts, hasMore: parts.at(-1)?.parent_id !== null };
}

/** Where the backup was made comes first; a copy is owed to that place only when it has lost it. */
function Copies({ backup, now }: { backup: BackupResource; now: Date }) {
  const own = backup.whole_in.filter((region) => !backup.copies.some((copy) => copy.region === region));
  return (
    <Scrolled label="Copies">
      <table>
        <caption>Every region that holds its bytes, or is to hold them</caption>
        <thead>
          <tr>
            <th scope="col">Region</th>
            <th scope="col">State</th>
            <th scope="col">Bytes</th>
            <th scope="col">Verified</th>
            <th scope="col">By</th>
            <th scope="col">Restore from there</th>
          </tr>
        </thead>
        <tbody>
          {own.map((region) => (
            <tr key={region}>
              <th scope="row">{region}</th>
              <td>
                <Mark tone="good">Made here</Mark>
              </td>
              <td>{bytesOf(backup.size_bytes)}</td>
              <Verified at={backup.verified_at} by={backup.verified_by} now={now} />
              <TestedFrom region={region} backup={backup} now={now} />
            </tr>
          ))}
          {backup.copies.map((copy) => (
            <tr key={copy.region}>
              <th scope="row">{copy.region}</th>
              <td>
                <CopyState copy={copy} now={now} />
              </td>
              <td>{bytesOf(copy.size_bytes)}</td>
              <Verified at={copy.verified_at} by={copy.verified_by} now={now} />
              <TestedFrom region={copy.region} backup={backup} now={now} />
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  );
}

function Verified({ at, by, now }: { at: string | null; by: CopyResource['verified_by']; now: Date }) {
  return (
    <>
      <td>{at ? <Instant at={at} now={now} /> : <span class="quiet">not proven</span>}</td>
      <td>{by === null ? '' : by === 'read' ? 'reading it back' : 'the store alone'}</td>
    </>
  );
}

function TestedFrom({ region, backup, now }: { region: string; backup: BackupResource; now: Date }) {
  return (
    <td>
      <Tested tests={backup.restore_tests.filter((test) => test.region === region)} now={now} />
    </td>
  );
}

function CopyState({ copy, now }: { copy: CopyResource; now: Date }) {
  const why = copy.fault && <p>{copy.fault.message}</p>;
  if (copy.status === 'COMPLETED') return <Mark tone="good">Whole</Mark>;
  if (copy.status === 'FAILED') {
    return (
      <>
        <Mark tone="bad">Not copied</Mark>
        {why}
      </>
    );
  }
  return (
    <>
      <Mark tone={copy.state === 'LOST' ? 'bad' : 'busy'}>
        {copy.state === 'LOST' ? 'Lost, is copied again' : copy.status === 'COPYING' ? 'Is copied' : 'Waits'}
      </Mark>
      {copy.status === 'COPYING' && <p>{left(copy, now)}</p>}
      {why}
      {copy.waits_for && <p>It waits for what it is built on.</p>}
    </>
  );
}
