import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getConsole, getSchedules, schedulesResponse } from '@strongroom/contracts';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { chromiumHere, launch } from '../../../../test/services/chromium.js';
import { eventually } from '../../../../test/services/eventually.js';
import { patience } from '../../../../test/services/patience.js';
import { Gateway } from '../../fixtures/gateway.js';

const program = chromiumHere();
const soon = { withinMs: 15_000 };
/** Runs before the scripts of the page, and beside its policy. */
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const watching =
  "globalThis.breaches = []; addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => globalThis.breaches.push(violatedDirective + ' ' + blockedURI));";

const describeWithBrowser = program === undefined ? describe.skip : describe;

describeWithBrowser('the console, in a browser', () => {
  let gateway: Gateway;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  /** Addresses of other origins that were asked for. */
  const elsewhere: string[] = [];
  /** Calls of the API, as method and path. */
  const calls: string[] = [];
  let orders: string;
  beforeAll(async () => {
    gateway = await Gateway.open();
    browser = await launch(program ?? '');
    context = await browser.newContext({ reducedMotion: 'reduce', timezoneId: 'Europe/Berlin', locale: 'en-GB' });
    context.setDefaultTimeout(15_000 * patience);
    await context.addInitScript(watching);
    await context.addInitScript(axe);
    context.on('request', (request) => {
      const { origin, pathname } = new URL(request.url());
      if (origin !== gateway.url && !request.url().startsWith('data:')) elsewhere.push(request.url());
      else calls.push(`${request.method()} ${pathname}`);
    });
    page = await context.newPage();
  });
  afterAll(async () => {
    await browser.close();
    await gateway.close();
  });

  /** The text of a cell of the table, by its row and the name of its column. */
  const cell = async (row: string, column: string) => {
    const heads = await page.locator('thead th').allInnerTexts();
    const at = heads.findIndex((head) => head.startsWith(column));
    const [text = ''] = await page.locator('tbody tr', { hasText: row }).locator('th, td').nth(at).allInnerTexts();
    return text;
  };
  const schedule = async (name: string) => {
    const { schedules } = schedulesResponse.parse((await gateway.call(getSchedules)).body);
    const instances = await gateway.client().instances.get(orders);
    return schedules.find(({ instance_id }) => instance_id === instances.id && name === instances.name);
  };
  /** Every fault of accessibility in what the page shows, in both themes. */
  const faults = async () => {
    const found: string[] = [];
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const ids: string[] = await page.evaluate(
        "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')))",
      );
      found.push(...ids.map((id) => `${colorScheme} ${id}`));
    }
    return found;
  };

  it('refuses a wrong token, and signs in by keyboard alone', async () => {
    await page.goto(`${gateway.url}${getConsole.path}`);
    await page.getByLabel('Token').waitFor();
    expect(await faults()).toEqual([]);
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
    const backup = await gateway.backup(orders, { copy_to: ['IAD'] });
    await gateway.run(backup, orders, 'completed', { lineage: backup, facts: null });
    await eventually(async () => expect(await cell('orders', 'DFW')).toMatch(/^Restorable\s/), soon);
    const shown = await gateway.client().backups.get(backup);
    const minute = (at: string | null) => at?.slice(0, 16).replace('T', ' ');
    expect(await cell('orders', 'DFW')).toContain(`${minute(shown.completed)} (now)`);
    expect(await cell('orders', 'DFW')).toContain(`verified ${minute(shown.verified_at)}`);
    await eventually(async () => expect(await cell('orders', 'IAD')).toMatch(/A newer one is on its way/), soon);
    expect(await faults()).toEqual([]);
  });

  it('asks for no more when it is opened with ten schedules than with one', async () => {
    const opened = async () => {
      calls.length = 0;
      await page.reload();
      await page.getByText(/^Restorable in/).waitFor();
      return calls.filter((call) => !/assets|console|events/.test(call)).sort();
    };
    const withOne = await opened();
    for (let number = 2; number <= 10; number += 1) {
      const instance = await gateway.register('admin', { name: `server-${number}` });
      await gateway.schedule(instance, { copy_to: ['IAD', 'ORD'] });
    }
    // What the events tell is read by the page that is still open.
    await eventually(async () => expect(await page.locator('tbody tr').count()).toBe(10), soon);
    expect(await opened()).toEqual(withOne);
    expect(await page.locator('tbody tr').count()).toBe(10);
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
    await page.getByLabel('Reason').fill('CHG-4711');
    await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('button', { name: 'Resume orders' }).waitFor();
    expect(await schedule('orders')).toMatchObject({ paused: true });
    const [paused] = (await gateway.events()).filter(({ type }) => type === 'ScheduleUpdated');
    expect(paused?.context).toMatchObject({ actor: 'admin', clientCorrelationId: 'CHG-4711' });
    await page.getByRole('button', { name: 'Resume orders' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Pause orders' }).waitFor();
    expect(await schedule('orders')).toMatchObject({ paused: false });
  });

  it('pauses a schedule by keyboard alone, and gives the focus back', async () => {
    await page.getByLabel('Search').focus();
    await eventually(async () => {
      await page.keyboard.press('Tab');
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Pause orders');
    }, soon);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Pause orders');
    await page.keyboard.press('Enter');
    await page.keyboard.type('disk-is-replaced');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Resume orders' }).waitFor();
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Resume orders');
    expect(await schedule('orders')).toMatchObject({ paused: true });
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
    expect(elsewhere).toEqual([]);
  });
});
