/** Reads which metrics the page of operations has. */
/** The metrics that the page's table has. A name that begins with `…` ends as it says and begins as the one before it. */
export function metricsOn(page: string): string[] {
  const cells = page.match(/^\| `strongroom_[^|]+\|/gm) ?? [];
  return cells.flatMap((cell) => {
    let before = '';
    return [...cell.matchAll(/`(…?)([a-z_]+)/g)].map(([, isShort, name = '']) => {
      before = isShort ? before.replace(/_[a-z]+$/, name) : name;
      return before;
    });
  });
}
