import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { settings } from '@strongroom/runtime';
import { configurationPage } from './configuration-page.js';
import { innerSettings, otherSettings } from './other-settings.js';

const root = join(__dirname, '..');
const page = readFileSync(join(root, 'docs', 'configuration.md'), 'utf8');

/** Every file that can read or set a setting, without the writer of the page. */
function sources(): string[] {
  const folders = ['apps', 'libs', 'test', 'scripts', 'docker'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  const single = ['docker-compose.yml', 'Dockerfile', '.ci/run', 'package.json'].map((file) => join(root, file));
  return [...folders, ...single].filter((file) => !/\.md$|scripts\/configuration-page/.test(file));
}

function namesIn(text: string): string[] {
  return text.match(/\b(?:STRONGROOM|REQUIRE)_[A-Z]+(?:_[A-Z]+)*\b/g) ?? [];
}

const missingFrom = (text: string, names: Iterable<string>) =>
  [...names].filter((name) => !text.includes(`\`${name}\``));

describe('the page of settings', () => {
  it('is what the declarations say: `npm run docs` writes it', () => {
    expect(page).toBe(configurationPage(settings));
  });

  it('is another one as soon as a default, a form or a meaning is another', () => {
    const [first, ...rest] = settings;
    if (!first) throw new Error('there are no settings');
    for (const change of [{ default: '5' }, { meaning: 'Something else.' }, { form: { ...first.form, says: 'else' } }])
      expect(configurationPage([{ ...first, ...change }, ...rest])).not.toBe(page);
  });

  it('has every setting whose name is anywhere in the code', () => {
    const names = new Set(sources().flatMap((file) => namesIn(readFileSync(file, 'utf8'))));
    for (const inner of innerSettings) names.delete(inner);
    expect(names.size).toBeGreaterThan(50);
    expect(missingFrom(page, names)).toEqual([]);
  });

  it('would be found to lack one', () => {
    expect(missingFrom(page, namesIn('process.env.STRONGROOM_UNHEARD_OF'))).toEqual(['STRONGROOM_UNHEARD_OF']);
  });

  it('names no setting that the code does not know', () => {
    const text = sources()
      .filter((file) => !file.endsWith('scripts/other-settings.ts'))
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    const others = otherSettings.flatMap((group) => group.settings.map(({ name }) => name));
    expect([...others, ...innerSettings].filter((name) => !text.includes(name))).toEqual([]);
  });
});
