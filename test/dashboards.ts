/** The queries of the dashboards in `deploy/grafana`, and what they ask for. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const folder = join(__dirname, '..', 'deploy', 'grafana');
const dashboard = z.object({
  uid: z.string(),
  templating: z.object({ list: z.array(z.object({ query: z.unknown() })) }),
  panels: z.array(z.object({ title: z.string(), targets: z.array(z.object({ expr: z.string() })) })),
});
const variable = z.object({ query: z.string() });

export interface Query {
  /** The dashboard's id, and the panel. */
  from: string;
  expr: string;
}

export interface Asked {
  metric: string;
  labels: string[];
}

export const dashboards = readdirSync(folder).map((file) =>
  dashboard.parse(JSON.parse(readFileSync(join(folder, file), 'utf8'))),
);

/** Every query, as Grafana would send it. */
export function queries(): Query[] {
  return dashboards.flatMap(({ uid, panels }) =>
    panels.flatMap(({ title, targets }) =>
      targets.map(({ expr }) => ({
        from: `${uid}: ${title}`,
        expr: expr.replaceAll('$__rate_interval', '1m').replaceAll(/"\$\w+"/g, '".+"'),
      })),
    ),
  );
}

/** What the variables of the dashboards are filled from. */
export function variables(): Asked[] {
  const texts = dashboards.flatMap(({ templating }) =>
    templating.list.map(({ query }) => variable.safeParse(query).data?.query ?? ''),
  );
  return texts.flatMap((text) => {
    const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(text) ?? [];
    return metric && label ? [{ metric, labels: [label] }] : [];
  });
}

/** The metrics that a query asks for, each with the labels that it selects and groups by. */
export function askedBy({ expr }: Query): Asked[] {
  return [...expr.matchAll(/(strongroom_\w+)(?:\{([^}]*)\})?/g)].map(({ 1: metric = '', 2: selectors = '', index }) => {
    const selected = [...selectors.matchAll(/(\w+)(?:=~|=|!=)/g)].map(([, label = '']) => label);
    return { metric, labels: [...new Set([...groupedAround(expr, index), ...selected])] };
  });
}

/** The labels of every `by (…)` whose brackets have this place in them. */
function groupedAround(expr: string, place: number): string[] {
  return [...expr.matchAll(/\bby \(([^)]*)\) \(/g)].flatMap(({ 0: { length }, 1: list = '', index }) => {
    const begin = index + length;
    let depth = 1;
    let end = begin;
    for (; depth > 0 && end < expr.length; end += 1) depth += expr[end] === '(' ? 1 : expr[end] === ')' ? -1 : 0;
    return begin <= place && place < end ? list.split(/, */) : [];
  });
}

/** What lacks in the text of `/metrics` of all processes. A metric that has counted nothing yet is there without its labels. */
export function lackingIn(text: string, { metric, labels }: Asked): string[] {
  const family = metric.replace(/_(bucket|count|sum)$/, '');
  const isThere = new RegExp(`^# TYPE (${metric}|${family}) `, 'm').test(text);
  if (!isThere) return [`there is no ${metric}`];
  const samples = text.match(new RegExp(`^${metric}(\\{.*\\})? .*$`, 'gm')) ?? [];
  if (samples.length === 0) return [];
  return labels
    .filter((label) => !samples.some((sample) => sample.includes(`{${label}="`) || sample.includes(`,${label}="`)))
    .map((label) => `${metric} has no label ${label}`);
}
