/** Loads the SDK of S3, and makes a client of one bucket's store. It is loaded when it is needed, because it is large. */
import type { HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Address } from '@strongroom/contracts';
import { credentialsOf } from './s3-credentials.js';

export type S3Sdk = typeof import('@aws-sdk/client-s3');

export interface S3Connection {
  sdk: S3Sdk;
  client: S3Client;
}

const connectMs = 10_000;
/**
 * How many requests there may be is decided elsewhere. A body keeps its connection until it is read, and its copy may wait for a region that
 * hangs. With 50, which are the SDK's own limit, such copies would leave no connection to the others, which would be told that the store is silent.
 */
const connections = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY };
const hashHeader = 'x-amz-content-sha256';

/** @param silentMs how long a connection may be silent before the request counts as lost */
export async function connectS3(address: S3Address, silentMs: number): Promise<S3Connection> {
  // It would be written among the JSON lines of the log. Which versions of Node are taken is said elsewhere.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const sdk = await import('@aws-sdk/client-s3');
  const { endpoint, region, pathStyle } = address;
  const client = new sdk.S3Client({
    region,
    forcePathStyle: pathStyle,
    ...(endpoint && { endpoint: endpoint.origin }),
    ...credentialsOf(address),
    // The door's own attempts know which requests may be made again, and end with the caller's signal.
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: connectMs,
      socketTimeout: silentMs,
      socketAcquisitionWarningTimeout: 2 ** 30,
      httpAgent: connections,
      httpsAgent: connections,
    },
  });
  keepProtocol(client, address);
  return { sdk, client };
}

/**
 * Has the request signed over this SHA-256 of its body, so that a store which knows no checksums compares it too. Otherwise the SDK
 * would hash the body a second time.
 */
export function signedOver(command: PutObjectCommand, sha256: string): PutObjectCommand {
  command.middlewareStack.add(
    (next) => async (args) => {
      requestOf(args.request).headers[hashHeader] = sha256;
      return next(args);
    },
    { step: 'build', name: 'strongroomDigest' },
  );
  return command;
}

/** @returns what the store's clock said when it answered; undefined when the answer does not tell, or has not come */
export function timeOfAnswer(command: HeadObjectCommand): () => Date | undefined {
  let at: Date | undefined;
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const told = new Date(dateIn(result.response) ?? '');
      if (!Number.isNaN(told.getTime())) at = told;
      return result;
    },
    { step: 'deserialize', name: 'strongroomTime' },
  );
  return () => at;
}

/** A setting of the SDK in the environment must not lead elsewhere in clear. */
function keepProtocol(client: S3Client, { endpoint }: S3Address): void {
  const wanted = endpoint?.protocol ?? 'https:';
  client.middlewareStack.add(
    (next) => async (args) => {
      const { protocol } = requestOf(args.request);
      if (protocol !== wanted) throw new Error(`the request would go by ${protocol} instead of ${wanted}`);
      return next(args);
    },
    { step: 'finalizeRequest', name: 'strongroomProtocol', priority: 'low' },
  );
}

interface HttpRequest {
  protocol: string;
  headers: Record<string, string>;
}

function requestOf(request: unknown): HttpRequest {
  if (isHttpRequest(request)) return request;
  throw new Error('the SDK of S3 made a request of another form than it should');
}

function dateIn(response: unknown): string | undefined {
  const isObject = typeof response === 'object' && response !== null;
  if (!isObject || !('headers' in response)) return undefined;
  const { headers } = response;
  if (typeof headers !== 'object' || headers === null || !('date' in headers)) return undefined;
  return typeof headers.date === 'string' ? headers.date : undefined;
}

function isHttpRequest(request: unknown): request is HttpRequest {
  const isObject = typeof request === 'object' && request !== null;
  return isObject && 'protocol' in request && 'headers' in request && typeof request.headers === 'object';
}
