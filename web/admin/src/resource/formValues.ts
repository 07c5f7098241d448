// Between the API's values and what a form holds: text for everything that is typed, and only what changed goes back.
import { asText } from './asText';
import * as z from 'zod/mini';
import { inForm, type FieldSpec, type Row } from './spec';

/** Typed fields hold text ('' for nothing), check boxes booleans, several references their ids. */
export type FormValue = string | boolean | number[];
export type FormValues = Record<string, FormValue>;

function pad(value: number): string {
  return String(value).padStart(2, '0');
}

/** RFC 3339 to what <input type="datetime-local"> takes, in the browser's time zone. */
export function toLocalInput(time: string): string {
  const d = new Date(time);
  const date = `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
  return `${date}T${pad(d.getHours())}:${pad(d.getMinutes())}`;
}

export function fromLocalInput(text: string): string {
  return new Date(text).toISOString();
}

export function toFormValue(field: FieldSpec, value: unknown): FormValue {
  switch (field.kind) {
    case 'bool':
      return value === true;
    case 'refs':
      return Array.isArray(value) ? (value as number[]) : [];
    case 'time':
      return typeof value === 'string' ? toLocalInput(value) : '';
    case 'words':
      return Array.isArray(value) ? value.join(' ') : '';
    case 'json':
      return value === null || value === undefined ? '' : JSON.stringify(value, null, 2);
    default:
      return asText(value);
  }
}

/** The API's value of what was typed; empty is null, or '' for text that cannot be null. */
export function fromFormValue(field: FieldSpec, value: FormValue): unknown {
  if (typeof value !== 'string') return value;
  const text = value.trim();
  switch (field.kind) {
    case 'number':
    case 'ref':
      return text === '' ? null : Number(text);
    case 'time':
      return text === '' ? null : fromLocalInput(text);
    case 'words':
      return text === '' ? [] : text.split(/[\s,]+/);
    case 'json':
      return text === '' ? null : (JSON.parse(text) as unknown);
    case 'text':
    case 'longtext':
    case 'email':
      return text === '' && field.nullable ? null : text;
    case 'password':
      return value;
    default:
      return text === '' ? null : text;
  }
}

export function firstValues(fields: FieldSpec[], row: Row | undefined, initial: Record<string, string>): FormValues {
  const mode = row ? 'edit' : 'create';
  const own = fields.filter((field) => inForm(field, mode));
  return Object.fromEntries(
    own.map((field) => [
      field.name,
      row ? toFormValue(field, row[field.name]) : (initial[field.name] ?? toFormValue(field, undefined)),
    ]),
  );
}

/** The body of a POST: what was left empty is left out, so that the server's defaults hold. */
export function createBody(fields: FieldSpec[], values: FormValues): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const field of fields) {
    const value = values[field.name];
    if (!inForm(field, 'create') || value === undefined || value === '') continue;
    if (Array.isArray(value) && value.length === 0) continue;
    body[field.name] = fromFormValue(field, value);
  }
  return body;
}

/** The body of a PATCH: what differs from the row as it was loaded. */
export function patchBody(fields: FieldSpec[], before: FormValues, values: FormValues): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const field of fields) {
    const value = values[field.name];
    if (!inForm(field, 'edit') || value === undefined) continue;
    if (JSON.stringify(value) !== JSON.stringify(before[field.name])) body[field.name] = fromFormValue(field, value);
  }
  return body;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function schemaOf(field: FieldSpec): z.ZodMiniType<FormValue, FormValue> {
  if (field.kind === 'bool') return z.boolean();
  if (field.kind === 'refs') return z.array(z.number()).check(z.minLength(field.required ? 1 : 0));
  const required = z.minLength(field.required ? 1 : 0);
  if (field.kind === 'number') {
    const { min = -Infinity, max = Infinity } = field;
    return z.string().check(
      required,
      z.refine((text) => text.trim() === '' || Number.isFinite(Number(text))),
      z.refine((text) => text.trim() === '' || (Number(text) >= min && Number(text) <= max)),
    );
  }
  if (field.kind === 'json')
    return z.string().check(
      required,
      z.refine((text) => text.trim() === '' || isJson(text)),
    );
  if (field.kind === 'text' || field.kind === 'longtext' || field.kind === 'password' || field.kind === 'email') {
    return z.string().check(required, z.maxLength(field.max ?? 100_000));
  }
  return z.string().check(required);
}

export function formSchema(fields: FieldSpec[], mode: 'create' | 'edit'): z.ZodMiniType<FormValues, FormValues> {
  const own = fields.filter((field) => inForm(field, mode));
  return z.object(Object.fromEntries(own.map((field) => [field.name, schemaOf(field)])));
}
