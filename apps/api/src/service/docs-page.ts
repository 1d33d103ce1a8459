/** The reference of the API as a page for people. A script of our own origin draws it from the document that programs read. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { getDocsReferenceJs, getOpenapiJson } from '@strongroom/contracts';

/** The page loads from its own origin and calls it, and reaches no other. What it draws has styles in its elements. */
export const docsPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'unsafe-inline'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export const docsPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Strongroom API</title>
</head>
<body>
<div id="reference"></div>
<noscript>The reference is drawn by a script. <a href="${getOpenapiJson.path}">${getOpenapiJson.path}</a> says the same to programs.</noscript>
<script src="${getDocsReferenceJs.path}"></script>
</body>
</html>
`;

/** Below `apps/api`. The build makes it: `scripts/reference.mjs`. */
const script = join(import.meta.dirname, '..', '..', 'public', 'reference.js.gz');

/** The script of the page. @param gzipped whether the client takes it as the build has compressed it */
export function docsScript(gzipped: boolean): Readable {
  const stored = createReadStream(script);
  return gzipped ? stored : stored.compose(createGunzip());
}
