/** The reference of the API as its reader has it: drawn in a browser, by the script that the API serves. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { getDocs, operationGroups, postSchedules, postSchedulesIdPreview } from '@strongroom/contracts';
import type { Page } from 'playwright-core';
import { chromiumHere } from '../../../../test/services/chromium.js';
import { Gateway } from '../../fixtures/gateway.js';
import { WatchedBrowser } from '../../fixtures/watched-browser.js';

const program = chromiumHere();
const describeWithBrowser = program === undefined ? describe.skip : describe;

describeWithBrowser('the reference of the API, in a browser', () => {
  let gateway: Gateway;
  let browser: WatchedBrowser;
  let page: Page;

  beforeAll(async () => {
    gateway = await Gateway.open();
    browser = await WatchedBrowser.open(program ?? '', gateway.url);
    ({ page } = browser);
    await page.goto(`${gateway.url}${getDocs.path}`);
  });
  afterAll(async () => {
    await browser?.close();
    await gateway?.close();
  });

  it('has the operations in groups, with what people come for first, whose operations are open', async () => {
    const group = page.getByRole('button', { name: /^(Open|Close) Group - / });
    await group.first().waitFor();
    const names = (await group.allInnerTexts()).map((text) => text.replace(/^\w+ Group - /, '').trim());
    expect(names.slice(0, operationGroups.length)).toEqual(operationGroups.map(({ name }) => name));
    await page.getByRole('button', { name: 'Close Group - Schedules' }).waitFor();
    await page.getByRole('heading', { name: postSchedules.summary }).first().waitFor();
  });

  it('has a call to try', async () => {
    await page
      .getByRole('button', { name: `Test Request (post ${postSchedules.path})` })
      .first()
      .waitFor();
  });

  it('finds an operation as one types', async () => {
    await page.keyboard.press('Control+k');
    await page.getByLabel('Enter search query').fill('preview');
    await page.getByRole('option').filter({ hasText: postSchedulesIdPreview.path }).first().waitFor();
    await page.keyboard.press('Escape');
  });

  it('has asked no other origin', async () => {
    expect(browser.elsewhere).toEqual([]);
  });
});
