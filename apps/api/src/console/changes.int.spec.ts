import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  getConsole,
  getRegions,
  getSchedules,
  getSchedulesId,
  getWebhooks,
  patchWebhooksId,
  pathOf,
  putSchedulesId,
  scheduleResponse,
  webhooksResponse,
} from '@strongroom/contracts';
import type { Page } from 'playwright-core';
import { Webhook } from 'standardwebhooks';
import { chromiumHere } from '../../../../test/services/chromium.js';
import { eventually } from '../../../../test/services/eventually.js';
import { accountId, Gateway } from '../../fixtures/gateway.js';
import { soon, WatchedBrowser } from '../../fixtures/watched-browser.js';
import { type AnswerOfReceiver, WebhookReceiver } from '../../fixtures/webhook-receiver.js';
import { withWebhookTimings } from '../../fixtures/webhook-timings.js';

const program = chromiumHere();
const describeWithBrowser = program === undefined ? describe.skip : describe;

describeWithBrowser('what people change in the console', () => {
  let receiver: WebhookReceiver;
  let gateway: Gateway;
  let browser: WatchedBrowser;
  let page: Page;
  beforeAll(async () => {
    receiver = await WebhookReceiver.open();
    gateway = await Gateway.open({ options: withWebhookTimings() });
    browser = await WatchedBrowser.open(program ?? '', gateway.url);
    ({ page } = browser);
    await browser.context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await browser.signIn(gateway.tokenOf('admin'));
  });
  afterAll(async () => {
    await browser.close();
    await gateway.close();
    await receiver.close();
  });

  const faults = () => browser.faults();
  const cell = (row: string, column: string) => browser.cell(row, column);
  const dialog = () => page.getByRole('dialog');
  const press = (name: string | RegExp, within = page.getByRole('main')) =>
    within.getByRole('button', { name }).first().click();
  const alert = (text: string) => page.getByRole('alert').filter({ hasText: text });
  const answering = (path: string, count: number, answer: AnswerOfReceiver) =>
    receiver.answers.set(path, Array<AnswerOfReceiver>(count).fill(answer));
  const focusOn = (text: unknown) => eventually(async () => expect(await browser.focused()).toEqual(text), soon);
  const webhooks = async () => webhooksResponse.parse((await gateway.call(getWebhooks)).body).webhooks;
  const patch = async (name: string, webhook: object) => {
    const { id = '' } = (await webhooks()).find((each) => each.name === name) ?? {};
    expect((await gateway.call(patchWebhooksId, { id, body: { webhook } })).status).toBe(202);
  };

  it('makes a webhook once, also when the answer is lost, and shows its secret once', async () => {
    await page.getByRole('link', { name: 'Webhooks' }).click();
    await page.getByText('There is no webhook yet.').waitFor();
    expect(await faults()).toEqual([]);
    await press('New webhook');
    await dialog().getByLabel('Name').fill('on call');
    await dialog().getByLabel('URL').fill('https://10.0.0.1/on-call');
    expect(await faults()).toEqual([]);
    await press('Create', dialog());
    await alert('is 10.0.0.1').waitFor();
    await dialog().getByLabel('URL').fill(receiver.urlOf('/on-call'));
    await dialog().getByText('Only some types of events').click();
    await dialog().getByRole('checkbox', { name: 'InstanceRegistered' }).check();
    expect(await faults()).toEqual([]);
    const address = `${gateway.url}${pathOf(getWebhooks, { accountId })}`;
    await page.route(address, async (route) => {
      await route.fetch();
      await route.abort();
    });
    await press('Create', dialog());
    await alert('The service was not reached.').waitFor();
    await page.unroute(address);
    await press('Create', dialog());
    const secret = (await dialog().locator('pre').textContent()) ?? '';
    expect(secret).toMatch(/^whsec_/);
    expect(await webhooks()).toMatchObject([{ name: 'on call', types: ['InstanceRegistered'] }]);
    expect(await faults()).toEqual([]);
    await press('Copy the secret', dialog());
    await dialog().getByText('Copied.').waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(secret);
    await press('Close', dialog());
    await page.getByRole('rowheader', { name: 'on call' }).waitFor();
    expect(await page.content()).not.toContain('whsec_');
    await gateway.register('admin', { name: 'orders' });
    await eventually(async () => {
      expect(await cell('on call', 'Last delivery')).toMatch(/^Delivered\s+InstanceRegistered[\s\S]+204 in \d+ ms$/);
    }, soon);
    expect(await cell('on call', 'State')).toBe('Sending');
    const [{ body, headers } = { body: '', headers: {} }] = receiver.at('/on-call');
    const signed = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    expect(new Webhook(secret).verify(body, signed)).toMatchObject({ type: 'InstanceRegistered' });
  });

  it('shows how a webhook stands and what became of each delivery, and sends one again', async () => {
    const standing = (text: string) => page.locator('.facts').getByText(text).waitFor();
    await page.getByRole('link', { name: 'on call' }).click();
    await standing('Sending');
    answering('/on-call', 2, { status: 422 });
    await gateway.register('admin', { name: 'invoices' });
    await standing('Passing over since');
    expect(await cell('Passed over', 'Attempts')).toBe('2');
    expect(await cell('Passed over', 'Answer')).toMatch(/^422 in \d+ ms: /);
    await press(/^Replay InstanceRegistered/);
    await page
      .getByRole('status')
      .getByText(/^Taken: 204 in \d+ ms$/)
      .waitFor();
    await standing('Sending');
    expect(receiver.idsAt('/on-call')).toHaveLength(4);
    answering('/on-call', 1, { status: 422 });
    await press('Send a test');
    await page
      .getByRole('status')
      .getByText(/^Not taken: 422 in \d+ ms: /)
      .waitFor();
    answering('/on-call', 1_000, { status: 503 });
    await gateway.register('admin', { name: 'stock' });
    await standing('Waiting since');
    await standing('sent again at');
    expect(await faults()).toEqual([]);
    await browser.picture('webhook');
    await press('Pause');
    await standing('Paused');
    await page.getByText('It is paused, and keeps its place.').waitFor();
    answering('/on-call', 1, { status: 410 });
    await press('Resume');
    await standing('Disabled since');
    await press('Resume');
    await standing('Sending');
    await eventually(async () => expect(await cell('InstanceRegistered', 'Outcome')).toBe('Delivered'), soon);
    await press('Why?');
    await dialog().getByText('WebhookDisabled').waitFor();
    await press('Close', dialog());
  });

  it('changes a webhook as it was shown, and not over a change of somebody else', async () => {
    await press('Change');
    await dialog().getByLabel('Name').fill('day and night');
    expect(await faults()).toEqual([]);
    await patch('on call', { name: 'by night' });
    await page.locator('.facts').getByText('by night').waitFor();
    await press('Change', dialog());
    await alert('Somebody has changed the webhook meanwhile.').waitFor();
    await page.keyboard.press('Escape');
    await press('Change');
    await dialog().getByLabel('New URL').fill(receiver.urlOf('/by-night'));
    await dialog().getByLabel('What is sent').selectOption('slack');
    await press('Change', dialog());
    await page.locator('.facts').getByText('messages for Slack').waitFor();
    expect(await webhooks()).toMatchObject([{ name: 'by night', format: 'slack', types: ['InstanceRegistered'] }]);
    await press('Send a test');
    await eventually(() => expect(receiver.at('/by-night')).toHaveLength(1), soon);
  });

  it('makes, tries, pauses, replays and deletes a webhook by keyboard alone', async () => {
    await page.getByRole('link', { name: 'Webhooks' }).focus();
    await page.keyboard.press('Enter');
    await browser.tabTo('New webhook');
    await page.keyboard.press('Enter');
    await page.keyboard.type('pager');
    await page.keyboard.press('Tab');
    await page.keyboard.type(receiver.urlOf('/pager'));
    await page.keyboard.press('Enter');
    const secret = await dialog().locator('pre').textContent();
    await focusOn(expect.stringContaining('It is shown now, and never again.'));
    await browser.tabTo('Close');
    await page.keyboard.press('Enter');
    await page.getByRole('rowheader', { name: 'pager' }).waitFor();
    await focusOn('New webhook');
    await gateway.register('admin', { name: 'mail' });
    await eventually(async () => expect(await cell('pager', 'Last delivery')).toMatch(/^Delivered/), soon);
    expect(await faults()).toEqual([]);
    await browser.picture('webhooks');
    await browser.tabTo('pager');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Deliveries' }).waitFor();
    await browser.tabTo('Send a test');
    await page.keyboard.press('Enter');
    await page.getByText(/^Taken: 204/).waitFor();
    await browser.tabTo('Pause');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Resume' }).waitFor();
    expect(await webhooks()).toContainEqual(expect.objectContaining({ name: 'pager', enabled: false }));
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Pause' }).waitFor();
    await browser.tabTo('New secret');
    await page.keyboard.press('Enter');
    await focusOn('Make a new secret');
    expect(await faults()).toEqual([]);
    await page.keyboard.press('Enter');
    const rotated = await dialog().locator('pre').textContent();
    expect(rotated).toMatch(/^whsec_/);
    expect(rotated).not.toBe(secret);
    await page.keyboard.press('Escape');
    await focusOn('New secret');
    const [first] = receiver.idsAt('/pager');
    const sent = () => receiver.idsAt('/pager').filter((each) => each === first).length;
    expect(sent()).toBe(1);
    await browser.tabTo(/^Replay InstanceRegistered/);
    await page.keyboard.press('Enter');
    await eventually(() => expect(sent()).toBe(2), soon);
    await browser.tabTo('Delete');
    await page.keyboard.press('Enter');
    await page.keyboard.type('Pager');
    await page.keyboard.press('Enter');
    await alert('Type the name as it is written: pager').waitFor();
    expect(await faults()).toEqual([]);
    await page.keyboard.press('Control+a');
    await page.keyboard.type('pager');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Webhooks' }).waitFor();
    await page.getByRole('rowheader', { name: 'pager' }).waitFor({ state: 'detached' });
    expect((await webhooks()).map(({ name }) => name)).toEqual(['by night']);
  });

  describe('of a schedule', () => {
    const keep = () => page.getByLabel('Full backups that are kept');
    const apply = () => page.getByRole('button', { name: 'Apply' });
    let id: string;
    const schedule = async () => scheduleResponse.parse((await gateway.call(getSchedulesId, { id })).body).schedule;
    const change = async (fields: object) => {
      expect((await gateway.call(putSchedulesId, { id, body: { schedule: fields } })).status).toBe(202);
    };

    it('keeps what was typed while it changes beside it, tells what has changed, and lets nothing pass unseen', async () => {
      id = await gateway.schedule(await gateway.register('admin', { name: 'payroll' }), { copy_to: ['IAD'] });
      await page.getByRole('link', { name: 'Restorable' }).click();
      await page.getByRole('link', { name: 'payroll' }).click();
      await keep().fill('9');
      await press('Preview');
      await page.getByText('Nothing is changed yet.').waitFor();
      await change({ minute: 45, full_backup_retention: 5, copy_to: ['IAD', 'ORD'] });
      await page.getByText('Time of the day, in UTC: 14:30 before, 14:45 now', { exact: true }).waitFor();
      await page.getByText('Full backups that are kept: 2 before, 5 now; here 9').waitFor();
      await page.getByText('Copied to ORD: no before, yes now').waitFor();
      expect(await page.getByLabel('Time of the day, in UTC').inputValue()).toBe('14:45');
      expect(await page.getByRole('checkbox', { name: 'ORD' }).isChecked()).toBe(true);
      expect(await keep().inputValue()).toBe('9');
      expect(await apply().isDisabled()).toBe(true);
      expect(await faults()).toEqual([]);
      const { version } = await schedule();
      await press('Preview');
      await page.getByText('Nothing is changed yet.').waitFor();
      const put = page.waitForRequest((request) => request.method() === putSchedulesId.method);
      await apply().click();
      expect((await put).headers()['if-match']).toBe(`"${version}"`);
      await page.getByText('The schedule is changed.').waitFor();
      expect(await schedule()).toMatchObject({ minute: 45, full_backup_retention: 9, copy_to: ['IAD', 'ORD'] });
      expect(await page.getByText('Somebody has changed').count()).toBe(0);
    });

    it('is refused when the page has not heard of the change beside it, and is shown with that then', async () => {
      const lists = `${gateway.url}${pathOf(getSchedules, { accountId })}*`;
      await page.route(lists, (route) => route.abort());
      await change({ hour: 15 });
      await alert('not reached').waitFor();
      await keep().fill('12');
      await press('Preview');
      await apply().click();
      await alert('Somebody has changed the schedule meanwhile.').waitFor();
      await page.getByText('Time of the day, in UTC: 14:45 before, 15:45 now').waitFor();
      expect(await keep().inputValue()).toBe('12');
      expect(await schedule()).toMatchObject({ hour: 15, full_backup_retention: 9 });
      await page.unroute(lists);
    });
  });

  it('reads everything again when it could not be read at first', async () => {
    const regions = `${gateway.url}${pathOf(getRegions, { accountId })}`;
    await page.route(regions, (route) => route.abort());
    await page.goto('about:blank');
    await page.goto(`${gateway.url}${getConsole.path}`);
    await alert('The service was not reached.').waitFor();
    await page.unroute(regions);
    await page.getByRole('rowheader', { name: 'payroll' }).waitFor();
    await alert('The service was not reached.').waitFor({ state: 'detached' });
  });

  it('shows to who may only look what there is, and nothing to change it by', async () => {
    await press('Sign out', page.getByRole('banner'));
    await page.getByLabel('Token').waitFor();
    await browser.signIn(gateway.tokenOf('observer'));
    await page.getByRole('link', { name: 'Webhooks' }).click();
    await page.getByRole('link', { name: 'by night' }).click();
    await page.getByRole('heading', { name: 'Deliveries' }).waitFor();
    expect(await page.getByRole('main').getByRole('button').allInnerTexts()).toEqual(['Why?']);
    expect(await page.evaluate('globalThis.breaches')).toEqual([]);
    expect(browser.elsewhere).toEqual([]);
  });
});
