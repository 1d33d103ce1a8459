/** Where traces are told, by the names that OpenTelemetry has for it. */
import { mustBe, parsedText, text } from './forms.js';
import { appNames, type Setting } from './setting.js';

const endpointForm = 'an http or https address, like http://collector:4318';

export const traceEndpoint = {
  name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
  meaning:
    'The collector that traces are told to, by OTLP over HTTP with JSON; `/v1/traces` comes behind it. Only `https` is taken for another machine, unless `STRONGROOM_ALLOW_PLAINTEXT` has `traces`. Without it there are no traces, and nothing of OpenTelemetry is loaded.',
  form: parsedText(endpointForm, (value) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    const isPlain = url && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
    return isPlain && /^https?:$/.test(url.protocol) ? url : mustBe(endpointForm);
  }),
  usedBy: appNames,
  // Somebody may write a password into it, which is refused.
  isSecret: true,
} satisfies Setting<URL>;

const headersForm = 'headers with commas between them, like authorization=Bearer%20t0ken,x-team=databases';

export const traceHeaders = {
  name: 'OTEL_EXPORTER_OTLP_HEADERS',
  meaning: 'The headers that the collector is asked with. Values are percent-encoded.',
  form: parsedText(headersForm, (value) => headersIn(value) ?? mustBe(headersForm)),
  usedBy: appNames,
  isSecret: true,
  mayBeFile: true,
} satisfies Setting<ReadonlyMap<string, string>>;

const shareForm = 'a number from 0 to 1, like 0.1';

export const traceShare = {
  name: 'OTEL_TRACES_SAMPLER_ARG',
  meaning:
    'The share of traces that is told. What follows from a request is told or left out as the request is, and no client changes that.',
  form: text(shareForm, (value) => /^(0(\.\d+)?|1(\.0+)?)$/.test(value)),
  usedBy: appNames,
  default: '1',
} satisfies Setting<string>;

export const traceService = {
  name: 'OTEL_SERVICE_NAME',
  meaning: 'What the service is called in traces.',
  form: text('a name of up to 128 characters', (value) => value.length <= 128),
  usedBy: appNames,
  default: { api: 'strongroom-api', scheduler: 'strongroom-scheduler', replicator: 'strongroom-replicator' },
} satisfies Setting<string>;

function headersIn(value: string): ReadonlyMap<string, string> | undefined {
  const headers = new Map<string, string>();
  for (const each of value.split(',')) {
    const [, name, encoded] = /^\s*([!#$%&'*+.^_`|~\w-]+)\s*=([\x21-\x7e]*)\s*$/.exec(each) ?? [];
    if (name === undefined || encoded === undefined) return undefined;
    try {
      headers.set(name.toLowerCase(), decodeURIComponent(encoded));
    } catch {
      return undefined;
    }
  }
  return headers;
}
