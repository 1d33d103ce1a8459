import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getRegions, getRestorable, pathOf } from '@strongroom/contracts';
import { Jobs, type LeasedJob, LimitsInForce } from '@strongroom/runtime';
import type { Page } from 'playwright-core';
import { chromiumHere } from '../../../../test/services/chromium.js';
import { eventually } from '../../../../test/services/eventually.js';
import { bringing, copied } from '../../fixtures/copies.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';
import { soon, WatchedBrowser } from '../../fixtures/watched-browser.js';

const program = chromiumHere();
const describeWithBrowser = program === undefined ? describe.skip : describe;

describeWithBrowser('the regions in the console', () => {
  let gateway: Gateway;
  let browser: WatchedBrowser;
  let page: Page;
  let coming: LeasedJob;
  const cell = (row: string, column: string) => browser.cell(row, column);

  async function completed(instanceId: string): Promise<string> {
    const backupId = await gateway.backup(instanceId);
    await gateway.run(backupId, instanceId, 'completed');
    return backupId;
  }

  beforeAll(async () => {
    gateway = await Gateway.open();
    browser = await WatchedBrowser.open(program ?? '', gateway.url);
    ({ page } = browser);
    const instanceId = await gateway.register('admin', { name: 'orders' });
    await gateway.schedule(instanceId, { copy_to: ['IAD', 'ORD'] });
    const [first, second] = [await completed(instanceId), await completed(instanceId)];
    for (const region of ['IAD', 'ORD']) await copied(gateway, { backupId: first, instanceId, region }, 'completed');
    coming = await bringing(gateway, { backupId: second, region: 'IAD' }, 48_000_000);
    await copied(gateway, { backupId: second, instanceId, region: 'ORD' }, 'waits');
  });
  afterAll(async () => {
    await browser.close();
    await gateway.close();
  });

  it('and the first rows are asked for together, and few rows at first, so that these are there soon', async () => {
    await browser.signIn(gateway.tokenOf('admin'));
    await page.getByRole('rowheader', { name: 'orders' }).waitFor();
    const address = page.url();
    await page.goto('about:blank');
    const rows = page.waitForRequest((request) => request.url().includes(pathOf(getRestorable, { accountId })));
    // Where the regions had to be there before anything else is asked for, nothing would ever be shown.
    const regions = `${gateway.url}${pathOf(getRegions, { accountId })}`;
    await page.route(regions, async (route) => {
      await rows;
      await route.continue();
    });
    await page.goto(address);
    expect(new URL((await rows).url()).searchParams.get('limit')).toBe('20');
    await page.getByRole('rowheader', { name: 'orders' }).waitFor();
    await page.unroute(regions);
  });

  it('show what they are owed, how fast copies come there, and that no replicator has told its limits', async () => {
    await page.getByRole('link', { name: 'Regions' }).click();
    await eventually(async () => expect(await cell('IAD', 'Copying now')).toBe('1 copy, 48.0 MB/s'), soon);
    expect(await cell('ORD', 'Copying now')).toBe('nothing');
    expect(await cell('ORD', 'Owed')).toBe('1');
    expect(await cell('DFW', 'State')).toBe('Reached');
    expect(await cell('IAD', 'Limits')).toBe('not told');
    expect(await browser.faults()).toEqual([]);
  });

  it('show limits as soon as replicators tell them, and what has changed, while somebody looks', async () => {
    const none = { bytesPerSecond: null, atATime: null, requestsAtATime: null };
    const limits = new LimitsInForce(gateway.dataSource);
    await limits.tell('replicator', [
      { ...none, scope: 'DFW:IAD', bytesPerSecond: 52_428_800 },
      { ...none, scope: 'ORD', bytesPerSecond: 20_971_520, atATime: 4 },
    ]);
    await eventually(async () => expect(await cell('IAD', 'Limits')).toBe('From DFW: 50 MiB/s'), soon);
    expect(await cell('ORD', 'Limits')).toBe('Its vault: 20 MiB/s, 4 transfers at a time');
    expect(await cell('DFW', 'Limits')).toBe('none');
    expect(await browser.faults()).toEqual([]);
    await browser.picture('regions');
    await new Jobs(gateway.dataSource).finish(coming);
    await eventually(async () => expect(await cell('IAD', 'Copying now')).toBe('nothing'), soon);
    await limits.tell('replicator', [{ ...none, scope: 'process', bytesPerSecond: 1_048_576 }]);
    await eventually(async () => expect(await cell('DFW', 'Limits')).toBe('Each process: 1 MiB/s'), soon);
  });
});
