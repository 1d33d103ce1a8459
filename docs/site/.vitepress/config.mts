/**
 * The site of the documents. Its pages are the Markdown files of the project where they lie, so that each reads the same in the
 * repository. `npm run docs:site` builds it into `docs/site/.vitepress/dist`.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import { nameOfHeading } from '../../../scripts/heading-names.js';
import { links } from './links.mjs';
import { placeOf } from './places.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const page = (text: string, link: string) => ({ text, link });
const reference = [
  page('API', '/api'),
  page('What the API promises', '/contract'),
  page('Events', '/events'),
  page('Command line', '/command-line'),
  page('Configuration', '/configuration'),
  page('Metrics', '/metrics'),
  page('Reasons', '/reasons'),
  page('Grounds against incrementals', '/incremental-grounds'),
  page('Stores', '/stores'),
];

export default defineConfig({
  title: 'Strongroom',
  description: 'Scheduled backups of database servers, every one copied to other regions and proven byte for byte.',
  lang: 'en',
  srcDir: root,
  srcExclude: ['apps/**', 'libs/**', 'dist/**', 'coverage/**', 'bench/peers/**'],
  rewrites: placeOf,
  // The pages lie outside of this package, and import what is in it.
  vite: {
    resolve: {
      alias: [
        { find: /^vue$/, replacement: fileURLToPath(import.meta.resolve('vue/dist/vue.runtime.esm-bundler.js')) },
        { find: /^vue\/server-renderer$/, replacement: fileURLToPath(import.meta.resolve('vue/server-renderer')) },
      ],
    },
  },
  cleanUrls: true,
  markdown: {
    anchor: { slugify: nameOfHeading },
    config: (md) => links(md, root),
  },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      page('Get started', '/getting-started'),
      page('Concepts', '/concepts'),
      page('Tasks', '/tasks'),
      page('Reference', '/api'),
      page('Operations', '/operations'),
    ],
    sidebar: [
      {
        text: 'Begin',
        items: [
          page('Get started', '/getting-started'),
          page('Concepts', '/concepts'),
          page('Tasks', '/tasks'),
          page('A session', '/session'),
        ],
      },
      { text: 'Reference', items: reference },
      {
        text: 'Run it',
        items: [
          page('Operations', '/operations'),
          page('Security', '/security'),
          page('Hostile servers', '/hostile-servers'),
        ],
      },
      {
        text: 'Design',
        items: [page('Architecture', '/architecture'), page('Decisions', '/decisions/'), page('Recipes', '/recipes')],
      },
      {
        text: 'The project',
        items: [
          page('Contributing', '/contributing'),
          page('Tests', '/tests'),
          page('Measurements', '/measurements/results'),
          page('What changed', '/changelog'),
          page('Reporting a weakness', '/reporting'),
        ],
      },
    ],
  },
});
