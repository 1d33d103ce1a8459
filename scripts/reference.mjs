/**
 * Makes the script of the API's reference page: the renderer of OpenAPI documents, and below it the line that starts it. The renderer is
 * in a plugin of Fastify, which is asked for it here, so that no service needs the plugin. docs/decisions/0214-the-reference-is-drawn-by-scalar.md
 * tells why.
 */
import { gzipSync } from 'node:zlib';
import fastify from 'fastify';

/** Everything that would ask a server of somebody else, or send people there, is off. The page's policy forbids it too. */
const configuration = {
  url: '/openapi.json',
  withDefaultFonts: false,
  telemetry: false,
  hideClientButton: true,
  agent: { disabled: true },
  mcp: { disabled: true },
  showDeveloperTools: 'never',
  persistAuth: false,
  defaultOpenFirstTag: true,
  defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
};

/** @returns the script, compressed by gzip */
export async function referenceScript() {
  const { default: reference } = await import('@scalar/fastify-api-reference');
  const server = fastify();
  await server.register(reference, { routePrefix: '/docs', configuration });
  const { statusCode, body } = await server.inject('/docs/js/scalar.js');
  await server.close();
  if (statusCode !== 200) throw new Error(`the renderer of the API's reference was answered with ${statusCode}`);
  // Examples of calls have the whole address.
  const start = `Scalar.createApiReference('#reference', { ...${JSON.stringify(configuration)}, servers: [{ url: location.origin }] });`;
  return gzipSync(`${body.replace(/^\/\/# sourceMappingURL=.*$/m, '')}\n${start}\n`, { level: 9 });
}
