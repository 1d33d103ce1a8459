/**
 * A plug-in of markdown-it for the links between pages, which are written so that they work in the repository: each leads to where
 * the page stands on the site. A link to anything else of the project, such as a source or a folder, is written as its text.
 */
import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { MarkdownRenderer } from 'vitepress';
import { placeOf } from './places.mjs';

/** @param root the folder of the project */
export function links(md: MarkdownRenderer, root: string): void {
  md.core.ruler.push('links-of-the-project', ({ tokens, env }) => {
    const from = dirname(env.realPath ?? env.path);
    for (const { children } of tokens) {
      const isText: boolean[] = [];
      for (const token of children ?? []) {
        if (token.type === 'link_open') {
          const link = linkOnSite(token.attrGet('href') ?? '', from, root);
          isText.push(link === undefined);
          if (link === undefined) Object.assign(token, { tag: 'span', attrs: [] });
          else token.attrSet('href', link);
        } else if (token.type === 'link_close' && isText.pop()) token.tag = 'span';
      }
    }
  });
}

/** @returns undefined where the site has no page for it */
function linkOnSite(link: string, from: string, root: string): string | undefined {
  if (/^([a-z]+:|#|\/)/.test(link)) return link;
  const [path = '', heading] = link.split('#');
  const file = [join(from, path), join(from, path, 'README.md')].find(
    (each) => each.endsWith('.md') && existsSync(each),
  );
  if (file === undefined) return path.endsWith('.md') ? link : undefined;
  const page = placeOf(relative(root, file))
    .replace(/(^|\/)index\.md$/, '$1')
    .replace(/\.md$/, '');
  return `/${page}${heading === undefined ? '' : `#${heading}`}`;
}
