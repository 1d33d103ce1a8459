/**
 * How the documents of the API are printed: as they are (`--json`), as lines with tabs (`--plain`), or as a table. A long list is printed page
 * by page, and never held as a whole. Nothing has a colour, so `NO_COLOR` has nothing to turn off.
 */
import type { listPage } from '@strongroom/contracts';
import { printableJson } from '@strongroom/contracts';
import type { z } from 'zod';
import { inLine, note, say, sayJson, sayPart } from '../output.js';
import type { ListOptions, PrintOptions } from './api-options.js';

export interface Column<Item> {
  title: string;
  of: (item: Item) => string | number | boolean | null | undefined;
}

/** What a page of a list is asked for. */
export interface PageQuery {
  limit?: number;
  marker?: string;
}

export interface Listing<Page, Item> {
  /** The name of the list in the document. */
  name: string;
  /** Reads one page. */
  page: (query: PageQuery) => Promise<Page>;
  items: (page: Page) => readonly Item[];
  columns: readonly Column<Item>[];
}

/** Prints a list, up to the limit or to its end, and says when there is more. */
export async function printList<Page extends z.output<typeof listPage>, Item>(
  listing: Listing<Page, Item>,
  options: ListOptions,
): Promise<void> {
  const print = printerOf(listing, options);
  let left = options.all ? Number.POSITIVE_INFINITY : options.limit;
  let marker: string | undefined;
  let page: Page;
  do {
    page = await listing.page({ ...(left < Number.POSITIVE_INFINITY && { limit: left }), ...(marker && { marker }) });
    const items = listing.items(page).slice(0, left);
    print.items(items);
    left -= items.length;
    marker = markerOf(page);
  } while (marker !== undefined && left > 0);
  print.end(page.links);
  if (marker !== undefined) note('There are more. --all prints all of them, and --limit as many as it says.');
}

function markerOf({ links }: z.output<typeof listPage>): string | undefined {
  const next = links.find(({ rel }) => rel === 'next');
  return next && (new URL(next.href, 'http://localhost').searchParams.get('marker') ?? undefined);
}

interface Printer<Item> {
  items(items: readonly Item[]): void;
  end(links: unknown): void;
}

function printerOf<Page, Item>({ name, columns }: Listing<Page, Item>, options: PrintOptions): Printer<Item> {
  return options.json ? jsonPrinter(name) : rowPrinter(columns, options);
}

/** One document, with a line for each item. */
function jsonPrinter(name: string): Printer<unknown> {
  let isFirst = true;
  return {
    items(items) {
      for (const item of items) {
        sayPart(`${isFirst ? `{${JSON.stringify(name)}: [\n` : ',\n'}${printableJson(item)}`);
        isFirst = false;
      }
    },
    end(links) {
      say(`${isFirst ? `{${JSON.stringify(name)}: [` : '\n'}], "links": ${printableJson(links)}}`);
    },
  };
}

function rowPrinter<Item>(columns: readonly Column<Item>[], { plain }: PrintOptions): Printer<Item> {
  const rowOf = (item: Item) => columns.map(({ of }) => textOf(of(item)));
  let widths: readonly number[] | undefined;
  return {
    items(items) {
      const rows = items.map(rowOf);
      if (plain) {
        for (const row of rows) say(row.join('\t'));
        return;
      }
      if (rows.length === 0) return;
      const titles = columns.map(({ title }) => title);
      const isFirst = widths === undefined;
      const now = widthsOf([...(isFirst ? [titles] : []), ...rows], widths);
      widths = now;
      for (const row of [...(isFirst ? [titles] : []), ...rows]) say(lineOf(row, now));
    },
    end() {
      if (widths === undefined && !plain) note('There are none.');
    },
  };
}

function widthsOf(rows: readonly (readonly string[])[], before: readonly number[] = []): number[] {
  const [first = []] = rows;
  return first.map((_, column) => Math.max(before[column] ?? 0, ...rows.map((row) => row[column]?.length ?? 0)));
}

function lineOf(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, column) => cell.padEnd(widths[column] ?? 0))
    .join('  ')
    .trimEnd();
}

function textOf(value: ReturnType<Column<unknown>['of']>): string {
  if (value === null || value === undefined || value === '') return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return inLine(String(value));
}

/** Prints a list that comes as a whole. */
export function printRows<Item>(
  document: unknown,
  items: readonly Item[],
  columns: readonly Column<Item>[],
  options: PrintOptions,
): void {
  if (options.json) {
    sayJson(document, 2);
    return;
  }
  const rows = rowPrinter(columns, options);
  rows.items(items);
  rows.end([]);
}

/** Prints one thing: its document, or a line for each field. */
export function printOne<Item>(
  document: unknown,
  item: Item,
  fields: readonly Column<Item>[],
  { json, plain }: PrintOptions,
): void {
  const rows = fields.map(({ title, of }) => [title, textOf(of(item))] as const);
  const widths = widthsOf(rows);
  if (json) sayJson(document, 2);
  else for (const row of rows) say(plain ? row.join('\t') : lineOf(row, widths));
}

/** A size as a person reads it. */
export function sizeOf(bytes: number | null): string | undefined {
  if (bytes === null) return undefined;
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1_000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
