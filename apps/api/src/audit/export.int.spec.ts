import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { getMetrics, streamOf } from '@strongroom/contracts';
import { z } from 'zod';
import { eventually } from '../../../../test/services/eventually.js';
import { canMount, SmallDisk } from '../../../../test/services/small-disk.js';
import { addEvent } from '../../../../test/services/unreadable-event.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';
import { AuditFile } from './sinks.js';

const within = { withinMs: 20_000 };
let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'strongroom-audit-export-'));
  file = join(folder, 'audit.jsonl');
});
afterEach(() => rm(folder, { recursive: true }));

const idsIn = async (path: string) =>
  (await readFile(path, 'utf8').catch(() => ''))
    .split('\n')
    .filter(Boolean)
    .map((line) => z.looseObject({ id: z.string() }).parse(JSON.parse(line)).id);

describe('the exported audit', () => {
  it('has begun before the first request is let in, and goes on where it was after a restart', async () => {
    const gateway = await Gateway.open({ env: { STRONGROOM_AUDIT_FILE: file } });
    try {
      expect(await gateway.sql('select id from audit_export')).toEqual([{ id: 1 }]);
      const [first] = [await gateway.register(), await gateway.register()];
      await eventually(async () => expect(await readFile(file, 'utf8')).toContain(first), within);
    } finally {
      await gateway.end();
    }
    const { database } = gateway;
    const without = await Gateway.open({ database });
    const meanwhile = await without.register();
    await without.end();
    // The process before may hold the cursor for a while.
    const again = await Gateway.open({ database, env: { STRONGROOM_AUDIT_FILE: file } });
    try {
      await again.sql(`update audit_export set held_until = '-infinity'`);
      await eventually(async () => expect(await readFile(file, 'utf8')).toContain(meanwhile), within);
      const ids = await idsIn(file);
      expect(new Set(ids).size).toBe(ids.length);
    } finally {
      await again.close();
    }
  });

  it('is written to the file once, whether syslog is away or not, and to syslog when it is back', async () => {
    const syslog = createServer();
    await new Promise<void>((resolve) => syslog.listen(0, '127.0.0.1', resolve));
    const { port } = syslog.address() as AddressInfo;
    await new Promise((resolve) => syslog.close(resolve));
    const env = { STRONGROOM_AUDIT_FILE: file, STRONGROOM_AUDIT_SYSLOG: `127.0.0.1:${port}` };
    const gateway = await Gateway.open({ env });
    try {
      const instances: string[] = [];
      for (let n = 0; n < 3; n += 1) {
        const instance = await gateway.register();
        instances.push(instance);
        await eventually(async () => expect(await readFile(file, 'utf8')).toContain(instance), within);
        await eventually(
          () => expect(gateway.lines.filter((line) => line.includes('exporting the audit to syslog'))).not.toEqual([]),
          within,
        );
      }
      const ids = await idsIn(file);
      expect(new Set(ids).size).toBe(ids.length);
      let said = '';
      syslog.on('connection', (socket) =>
        socket.on('data', (data) => {
          said += data.toString();
        }),
      );
      await new Promise<void>((resolve) => syslog.listen(port, '127.0.0.1', resolve));
      await eventually(() => {
        for (const instance of instances) expect(said).toContain(instance);
      }, within);
    } finally {
      await gateway.close();
      await new Promise((resolve) => syslog.close(resolve));
    }
  });
});

describe('what only a newer version knows', () => {
  it('is in the exported audit as it is recorded, since the export does not come back to it', async () => {
    const gateway = await Gateway.open({ env: { STRONGROOM_AUDIT_FILE: file } });
    const linesOf = async (type: string) =>
      (await readFile(file, 'utf8').catch(() => ''))
        .split('\n')
        .filter((line) => line.includes(`"type":"${type}"`))
        .map((line): unknown => JSON.parse(line));
    try {
      const instance = await gateway.register();
      const stream = streamOf('instance', instance);
      const ofEvent = (type: string, data: object) => addEvent(gateway.dataSource, stream, { type, data });
      await ofEvent('InstanceTeleported', { to: 'the moon' });
      await ofEvent('InstanceChanged', { name: 7 });
      await gateway.sql(
        `insert into audit_entry (id, position, account_id, at, type, entry)
         values (gen_random_uuid(), ledger_head(), '${accountId}', now(), 'TokensCounted', '{"type": "TokensCounted", "data": {"count": 3}}')`,
      );
      const last = await gateway.register();
      await eventually(async () => expect(await readFile(file, 'utf8')).toContain(last), within);
      await eventually(async () => expect(await linesOf('TokensCounted')).toHaveLength(1), within);
      expect(await linesOf('InstanceTeleported')).toMatchObject([
        { account_id: accountId, as_recorded: { stream, data: { to: 'the moon' }, context: { actor: 'admin' } } },
      ]);
      expect(await linesOf('InstanceChanged')).toMatchObject([{ as_recorded: { stream, data: { name: 7 } } }]);
      expect(await linesOf('TokensCounted')).toMatchObject([
        { account_id: accountId, as_recorded: { type: 'TokensCounted', data: { count: 3 } } },
      ]);
      const metrics = await (await fetch(new URL(getMetrics.path, gateway.privateUrl))).text();
      expect(metrics).toContain('strongroom_audit_left_out_total{to="file"} 3');
    } finally {
      await gateway.close();
    }
  });
});

describe('a full disk', () => {
  if (!canMount()) {
    it.todo('was NOT RUN for want of a disk: only root can mount one, or a sudo that asks for no password');
    return;
  }

  it('leaves no half of a line in the file, and loses none when there is room again', async () => {
    const disk = SmallDisk.mount(folder, 1);
    try {
      const sink = new AuditFile(file);
      const lines = (from: number) =>
        Array.from({ length: 100 }, (_, n) => ({
          at: '2026-11-24T00:00:00.000Z',
          json: JSON.stringify({ id: `${from + n}`, text: 'x'.repeat(2_000) }),
        }));
      let written = 0;
      for (; written < 1_000; written += 100) {
        const isFull = await sink.write(lines(written)).then(
          () => false,
          (error: { code?: string }) => error.code === 'ENOSPC',
        );
        if (isFull) break;
      }
      expect(written).toBeLessThan(1_000);
      const upTo = (end: number) => Array.from({ length: end }, (_, n) => `${n}`);
      expect(await idsIn(file)).toEqual(upTo(written));
      await expect(sink.write(lines(written))).rejects.toMatchObject({ code: 'ENOSPC' });
      disk.growTo(4);
      await sink.write(lines(written));
      expect(await idsIn(file)).toEqual(upTo(written + 100));
    } finally {
      disk.unmount();
    }
  });
});
