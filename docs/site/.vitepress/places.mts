/** Where the pages of the project stand on the site. */

const places: Readonly<Record<string, string>> = {
  'docs/site/index.md': 'index.md',
  'README.md': 'getting-started.md',
  'ARCHITECTURE.md': 'architecture.md',
  'CONTRIBUTING.md': 'contributing.md',
  'CHANGELOG.md': 'changelog.md',
  'SECURITY.md': 'reporting.md',
  'test/README.md': 'tests.md',
  'bench/README.md': 'measurements/index.md',
  'bench/RESULTS.md': 'measurements/results.md',
  'bench/CHANGES.md': 'measurements/changes.md',
};

/**
 * The place of a page on the site: `docs/tasks/README.md` is `tasks/index.md` there.
 * @param source the path of the Markdown file, from the project's root
 */
export function placeOf(source: string): string {
  return places[source] ?? source.replace(/^docs\//, '').replace(/(^|\/)README\.md$/, '$1index.md');
}
