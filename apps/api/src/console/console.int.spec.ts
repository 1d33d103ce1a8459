import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  getConsole,
  getRestorable,
  getSchedules,
  pathOf,
  putSchedulesId,
  schedulesResponse,
} from '@strongroom/contracts';
import { scheduledBackupId } from '@strongroom/domain';
import type { BrowserContext, Page } from 'playwright-core';
import { chromiumHere } from '../../../../test/services/chromium.js';
import { eventually } from '../../../../test/services/eventually.js';
import { copied, tested } from '../../fixtures/copies.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';
import { soon, WatchedBrowser } from '../../fixtures/watched-browser.js';

const program = chromiumHere();
const describeWithBrowser = program === undefined ? describe.skip : describe;

describeWithBrowser('the console, in a browser', () => {
  let gateway: Gateway;
  let browser: WatchedBrowser;
  let context: BrowserContext;
  let page: Page;
  let orders: string;
  /** A full backup of it. */
  let full: string;
  beforeAll(async () => {
    gateway = await Gateway.open();
    browser = await WatchedBrowser.open(program ?? '', gateway.url);
    ({ context, page } = browser);
  });
  afterAll(async () => {
    await browser.close();
    await gateway.close();
  });

  const cell = (row: string, column: string) => browser.cell(row, column);
  const idOf = async (name: string) => {
    for await (const instance of gateway.client().instances.list()) if (instance.name === name) return instance.id;
    throw new Error(`there is no instance ${name}`);
  };
  /** Has a backup that every region holds, and whose restore was tested. */
  const backedUp = async (instanceId: string) => {
    const backupId = await gateway.backup(instanceId);
    await gateway.run(backupId, instanceId, 'completed', { lineage: backupId, facts: null });
    for (const region of ['IAD', 'ORD']) await copied(gateway, { backupId, instanceId, region }, 'completed');
    await tested(gateway, backupId, 'DFW', 'passed');
  };
  const schedule = async (name: string) => {
    const { schedules } = schedulesResponse.parse((await gateway.call(getSchedules)).body);
    const instances = await gateway.client().instances.get(orders);
    return schedules.find(({ instance_id }) => instance_id === instances.id && name === instances.name);
  };
  const tabTo = (text: string | RegExp) => browser.tabTo(text);
  const focused = () => browser.focused();
  const faults = () => browser.faults();
  const picture = (name: string) => browser.picture(name);

  it('refuses a wrong token, and signs in by keyboard alone', async () => {
    await page.goto(`${gateway.url}${getConsole.path}`);
    await page.getByLabel('Token').waitFor();
    expect(await faults()).toEqual([]);
    await picture('sign-in');
    await page.getByLabel('Token').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').filter({ hasText: 'This token is not known here.' }).waitFor();
    await page.getByLabel('Token').fill(gateway.tokenOf('admin'));
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Restorable' }).waitFor();
    const cookies = await context.cookies();
    expect(cookies).toMatchObject([{ httpOnly: true, sameSite: 'Strict', path: '/' }]);
    // No script has the token, nor what the cookie holds, and no address has either.
    expect(await page.evaluate('document.cookie + JSON.stringify(localStorage) + location.href')).not.toMatch(
      new RegExp(`${gateway.tokenOf('admin')}|${cookies[0]?.value}`),
    );
  });

  it('leads an account without schedules to its first one', async () => {
    await page.getByRole('heading', { name: 'There is no schedule yet' }).waitFor();
    expect(await page.locator('pre').allInnerTexts()).toEqual([
      expect.stringContaining(`curl -X POST ${gateway.url}`),
      expect.stringContaining('"action":"backup"'),
    ]);
    expect(await faults()).toEqual([]);
  });

  it('shows a schedule, and what each region can restore, as the ledger comes to hold it', async () => {
    orders = await gateway.register('admin', { name: 'orders' });
    await gateway.schedule(orders, { copy_to: ['IAD'] });
    await page.getByRole('rowheader', { name: 'orders' }).waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    expect(await Promise.all(['DFW', 'IAD', 'ORD'].map((region) => cell('orders', region)))).toEqual([
      'Nothing to restore',
      'Nothing to restore',
      'Not copied here',
    ]);
    full = await gateway.backup(orders, { copy_to: ['IAD'] });
    await gateway.run(full, orders, 'completed', { lineage: full, facts: null });
    await eventually(async () => expect(await cell('orders', 'DFW')).toMatch(/^Restorable\s/), soon);
    const shown = await gateway.client().backups.get(full);
    const minute = (at: string | null) => at?.slice(0, 16).replace('T', ' ');
    expect(await cell('orders', 'DFW')).toContain(`${minute(shown.completed)} (now)`);
    expect(await cell('orders', 'DFW')).toContain(`verified ${minute(shown.verified_at)}`);
    await eventually(async () => expect(await cell('orders', 'IAD')).toMatch(/^Nothing to restore\s+1 owed$/), soon);
    expect(await cell('orders', 'DFW')).toContain('No restore tested');
    await tested(gateway, full, 'DFW', 'passed');
    await eventually(async () => expect(await cell('orders', 'DFW')).toMatch(/Restore tested\s.*took 4 min/s), soon);
    expect(await faults()).toEqual([]);
  });

  it('asks for no more when it is opened with ten schedules than with one', async () => {
    const opened = async () => {
      const { calls } = browser;
      const address = page.url();
      // What the page reads because of earlier events is not counted.
      await page.goto('about:blank');
      calls.length = 0;
      await page.goto(address);
      await page.getByText(/^Restorable in/).waitFor();
      return calls.filter((call) => !/assets|console|events/.test(call)).sort();
    };
    const withOne = await opened();
    for (let number = 2; number <= 10; number += 1) {
      const instance = await gateway.register('admin', { name: `server-${number}` });
      await gateway.schedule(instance, { copy_to: ['IAD', 'ORD'] });
      if (number <= 6) await backedUp(instance);
    }
    // What the events tell is read by the page that is still open.
    await eventually(async () => expect(await page.locator('tbody tr').count()).toBe(10), soon);
    expect(await opened()).toEqual(withOne);
    expect(await page.locator('tbody tr').count()).toBe(10);
    expect(await cell('server-6', 'ORD')).toMatch(/^Restorable\s/);
    await picture('restorable');
  });

  it('finds schedules as one types, and pauses and resumes one with the mouse', async () => {
    await page.getByRole('link', { name: 'Schedules' }).click();
    await page.getByLabel('Search').fill('ORD');
    expect(await page.locator('tbody th').allInnerTexts()).toContain('orders');
    await page.getByLabel('Search').fill('orders');
    expect(await page.locator('tbody th').allInnerTexts()).toEqual(['orders']);
    const { next_run } = (await schedule('orders')) ?? {};
    expect(await cell('orders', 'Next run')).toContain(`${next_run?.slice(0, 16).replace('T', ' ')} UTC`);
    expect(await cell('orders', 'Next run')).toMatch(/here$/);
    expect(await faults()).toEqual([]);
    await page.getByRole('button', { name: 'Pause orders' }).click();
    expect(await faults()).toEqual([]);
    await picture('pause');
    await page.getByLabel('Reason').fill('CHG-4711: the disk is replaced');
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Resume orders' }).waitFor();
    expect(await schedule('orders')).toMatchObject({ paused: true });
    const [paused] = (await gateway.events()).filter(({ type }) => type === 'ScheduleUpdated');
    expect(paused?.context).toMatchObject({ actor: 'admin', reason: 'CHG-4711: the disk is replaced' });
    expect(await cell('orders', 'State')).toContain('Paused: CHG-4711: the disk is replaced');
    await page.getByRole('button', { name: 'Resume orders' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Pause orders' }).waitFor();
    expect(await schedule('orders')).toMatchObject({ paused: false });
  });

  it('pauses a schedule by keyboard alone, and gives the focus back', async () => {
    await page.getByLabel('Search').focus();
    await tabTo('Pause orders');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await focused()).toBe('Pause orders');
    await page.keyboard.press('Enter');
    await page.keyboard.type('the disk is replaced');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Resume orders' }).waitFor();
    expect(await focused()).toBe('Resume orders');
    expect(await schedule('orders')).toMatchObject({ paused: true });
  });

  it('pauses many schedules at once, and says which were refused', async () => {
    await page.getByLabel('Search').fill('server');
    await page.getByLabel('Select all that are found').check();
    await page.getByRole('button', { name: 'Pause the selected' }).click();
    await page.getByRole('dialog').getByText('server-2, server-3', { exact: false }).waitFor();
    expect(await faults()).toEqual([]);
    // Somebody changes one of them meanwhile.
    const changed = (await gateway.client().instances.get(await idOf('server-2'))).schedule?.id ?? '';
    const body = { schedule: { full_backup_retention: 5 } };
    expect((await gateway.call(putSchedulesId, { id: changed, body })).status).toBe(202);
    await page.getByLabel('Reason').fill('CHG-4712');
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await page
      .getByRole('alert')
      .filter({ hasText: 'server-2: Somebody has changed the schedule meanwhile.' })
      .waitFor();
    await page.keyboard.press('Escape');
    await eventually(async () => {
      const { schedules } = schedulesResponse.parse((await gateway.call(getSchedules)).body);
      expect(schedules.filter(({ paused }) => paused).length).toBe(9);
    }, soon);
    // The rest of what was selected is resumed by keyboard.
    await eventually(
      async () => expect(await page.getByRole('button', { name: /^Resume server/ }).count()).toBe(8),
      soon,
    );
    await page.getByRole('button', { name: 'Resume the selected' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('8 schedules are resumed.').waitFor();
  });

  it('reads again what it could not read, without another event', async () => {
    const restorable = `${gateway.url}${pathOf(getRestorable, { accountId })}*`;
    let failed = 0;
    await page.route(restorable, async (route) => {
      failed += 1;
      await route.abort();
    });
    await page.getByLabel('Search').fill('server-3');
    await gateway.schedule(await gateway.register('admin', { name: 'server-33' }));
    await eventually(() => expect(failed).toBeGreaterThan(0), soon);
    await page.unroute(restorable);
    await page.getByRole('rowheader', { name: 'server-33' }).waitFor();
    await page.getByRole('alert').filter({ hasText: 'not reached' }).waitFor({ state: 'detached' });
  });

  it('shows one schedule: what became of its slots and why, and a change before it is made', async () => {
    const { id = '', hour } = (await schedule('orders')) ?? {};
    const slotAt = new Date(Date.now() - 86_400_000);
    slotAt.setUTCHours(14, 30, 0, 0);
    const missed = { scheduleId: id, instanceId: orders, slotAt: slotAt.toISOString(), reason: 'Nobody looked.' };
    await gateway.onBackup(scheduledBackupId(id, slotAt), orders, { type: 'MissSlot', slot: missed });
    await page.getByLabel('Search').fill('orders');
    await page.getByRole('img', { name: 'The last 1 slots: 1 missed' }).waitFor();
    await picture('schedules');
    await page.getByLabel('Search').focus();
    await tabTo('orders');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Schedule of orders' }).waitFor();
    const day = page.getByRole('table', { name: 'What became of the slots' }).getByRole('row', {
      name: slotAt.toISOString().slice(0, 7),
    });
    expect(
      await day
        .getByRole('cell')
        .nth(slotAt.getUTCDate() - 1)
        .textContent(),
    ).toContain('missed');
    await page.getByRole('cell', { name: 'Nobody looked.' }).waitFor();
    expect(await faults()).toEqual([]);
    // A change by keyboard: nothing is changed before it is applied.
    await page.getByLabel('Full backups that are kept').focus();
    await page.keyboard.press('Control+a');
    await page.keyboard.type('7');
    await page.keyboard.press('Enter');
    await page.getByText('Nothing is changed yet.').waitFor();
    expect(await faults()).toEqual([]);
    await picture('schedule');
    expect(await schedule('orders')).toMatchObject({ full_backup_retention: 2 });
    await tabTo('Apply');
    await page.keyboard.press('Enter');
    await page.getByText('The schedule is changed.').waitFor();
    expect(await schedule('orders')).toMatchObject({ full_backup_retention: 7, hour });
    // And by mouse. What was not previewed cannot be applied.
    await page.getByRole('checkbox', { name: 'ORD' }).check();
    expect(await page.getByRole('button', { name: 'Apply' }).isDisabled()).toBe(true);
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByRole('button', { name: 'Apply', disabled: false }).click();
    await eventually(async () => expect(await schedule('orders')).toMatchObject({ copy_to: ['IAD', 'ORD'] }), soon);
    await page.getByRole('button', { name: `Why? ${slotAt.toISOString().slice(0, 10)}` }).click();
    await page.getByRole('dialog').getByText('SlotMissed').waitFor();
    expect(await faults()).toEqual([]);
    await page.keyboard.press('Escape');
  });

  it('shows one backup: its chain, where it is, what happened, and the command that restores it', async () => {
    await copied(gateway, { backupId: full, instanceId: orders, region: 'IAD' }, 'completed');
    await tested(gateway, full, 'IAD', 'failed');
    const second = await gateway.backup(orders, { incremental: 1, copy_to: ['IAD'] });
    await gateway.run(second, orders, 'completed', { lineage: full, facts: null });
    await copied(gateway, { backupId: second, instanceId: orders, region: 'IAD' }, 'waits');
    await page.getByRole('link', { name: 'Restorable' }).click();
    await page.getByLabel('Search').fill('orders');
    await eventually(async () => expect(await cell('orders', 'IAD')).toMatch(/^Restorable\s[\s\S]*1 owed$/), soon);
    await page.getByRole('link', { name: / in DFW$/ }).click();
    await page.getByRole('img', { name: 'A chain of 2 backups: full, incremental' }).waitFor();
    expect(await cell('DFW', 'Bytes')).toBe('5.0 GB');
    expect(await cell('IAD', 'State')).toMatch(/^Waits\s+The vault does not answer\.$/);
    const happened = await page.locator('.events code').allInnerTexts();
    expect(happened.slice(0, 4)).toEqual(['BackupRequested', 'BackupStarted', 'BackupIdentified', 'BackupCompleted']);
    expect(await faults()).toEqual([]);
    await picture('backup');
    await page.getByRole('button', { name: 'Restore' }).click();
    const command = () => page.getByRole('dialog').locator('pre').textContent();
    expect(await command()).toBe(`npx strongroom restore ${second} --from DFW --to ./restored`);
    expect(await faults()).toEqual([]);
    await page.getByRole('button', { name: 'Close' }).click();
    // The full one is in another region too: the command for it is made by keyboard.
    await page.getByRole('heading', { name: 'Backup' }).first().focus();
    await eventually(async () => {
      await page.keyboard.press('Tab');
      expect(await page.evaluate('document.activeElement.hash')).toBe(`#/backups/${full}`);
    }, soon);
    await page.keyboard.press('Enter');
    await page.getByRole('img', { name: 'One backup: full' }).waitFor();
    expect(await cell('IAD', 'Restore from there')).toMatch(/^Restore test failed\s.*An object is altered\.$/s);
    await tabTo('Restore');
    await page.keyboard.press('Enter');
    await page.getByLabel('From').focus();
    await page.keyboard.press('ArrowDown');
    expect(await command()).toBe(`npx strongroom restore ${full} --from IAD --to ./restored`);
    await page.keyboard.press('Escape');
    expect(await focused()).toBe('Restore');
  });

  it('finds what a region can restore, and how the regions stand, by keyboard alone', async () => {
    await page.getByRole('link', { name: 'Restorable' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Restorable' }).waitFor();
    await page.getByLabel('Search').focus();
    await page.keyboard.press('Control+a');
    await page.keyboard.type('orders');
    await tabTo(/ in IAD$/);
    await page.keyboard.press('Enter');
    await page.getByRole('img', { name: 'One backup: full' }).waitFor();
    await page.getByRole('link', { name: 'Regions' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('rowheader', { name: 'IAD' }).waitFor();
    expect(await faults()).toEqual([]);
  });

  it('tests whether an instance is reached, and tells what is missing', async () => {
    await page.getByRole('link', { name: 'Instances' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('rowheader', { name: 'orders' }).waitFor();
    await tabTo('Test orders');
    await page.keyboard.press('Enter');
    await eventually(
      async () => expect(await cell('orders', 'Reached')).toMatch(/Full backups are not possible/),
      soon,
    );
    expect(await faults()).toEqual([]);
    await picture('instances');
    await page.getByRole('button', { name: 'Why? orders' }).click();
    await page.getByRole('dialog').getByText('InstanceRegistered').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
  });

  it('shows what happens as it happens, filtered, and why', async () => {
    await page.getByRole('link', { name: 'Activity' }).click();
    const backup = await gateway.backup(orders);
    await gateway.run(backup, orders, 'failed');
    await page.getByRole('rowheader', { name: 'BackupFailed' }).first().waitFor();
    await page.getByLabel('Filter').fill('backupfailed orders');
    expect(await page.locator('tbody th').allInnerTexts()).toEqual(['BackupFailed']);
    expect(await faults()).toEqual([]);
    await picture('activity');
    await page.getByLabel('Filter').focus();
    await tabTo('Why? BackupFailed of orders');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByText('The server does not answer.').first().waitFor();
    expect(await faults()).toEqual([]);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Why? BackupFailed of orders' }).click();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('link', { name: 'Schedules' }).click();
  });

  it('keeps the theme that was chosen', async () => {
    await page.getByLabel('Theme').selectOption('dark');
    await page.emulateMedia({ colorScheme: 'light' });
    const ground = () => page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    expect(await ground()).toBe('rgb(20, 23, 28)');
    await page.reload();
    await page.getByRole('heading', { name: 'Schedules' }).waitFor();
    expect(await ground()).toBe('rgb(20, 23, 28)');
  });

  it('signs out, and has asked no other origin and broken its policy nowhere', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor();
    await eventually(async () => expect(await context.cookies()).toEqual([]), soon);
    expect(await page.evaluate('globalThis.breaches')).toEqual([]);
    expect(browser.elsewhere).toEqual([]);
  });

  it('is looked at by tests that see a picture without words, an address elsewhere and what the policy forbids', async () => {
    await page.evaluate("document.body.append(Object.assign(new Image(), { src: 'https://elsewhere.invalid/x.png' }))");
    const found = (await faults()).map((fault) => fault.replace(/:.*/, ''));
    expect(found).toEqual(['light image-alt', 'light region', 'dark image-alt', 'dark region']);
    await eventually(async () => {
      expect(await page.evaluate('globalThis.breaches')).toEqual(['img-src https://elsewhere.invalid/x.png']);
    }, soon);
    // What the policy stops is not asked for, so the address is asked for by the test itself.
    await page.goto('http://localhost:1/').catch(() => {});
    expect(browser.elsewhere).toContain('http://localhost:1/');
  });
});
