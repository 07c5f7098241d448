// A resource's screens as data: its fields say what the list shows, filters and sorts by, what the form asks, and how a value looks.
import type { User } from '@tracker/shared/api/schema.d.ts';
import type { NavItem } from '@tracker/shared/shell/AppShell.tsx';
import type { ComponentType } from 'react';
import type en from '../i18n/en';

export type Row = Record<string, unknown> & { id: number };
export type Role = User['role'];
export type FieldLabel = keyof typeof en.field;
export type ResourceLabel = keyof typeof en.resource;

export type Kind =
  | 'text'
  | 'longtext'
  | 'password'
  | 'email'
  | 'number'
  | 'time'
  | 'enum'
  | 'bool'
  | 'ref'
  | 'refs'
  | 'words'
  | 'position'
  | 'json'
  | 'status';

export interface FieldSpec {
  /** As in the API. */
  name: FieldLabel;
  kind: Kind;
  /** Resources that an id may belong to (storage and delivery locations share their ids). */
  ref?: string[];
  /** Values of an enum; their texts stand under `enum` in the translations. */
  words?: readonly string[];
  /** In the list from the beginning (true), or when chosen ('hidden'). */
  column?: boolean | 'hidden';
  sort?: boolean;
  filter?: boolean;
  /** Prefix of a time's two filters where it is not the name and an underscore: '' for plain `from` and `to`. */
  range?: string;
  /** Asked when creating (create), when editing (edit), or both (true). */
  form?: boolean | 'create' | 'edit';
  required?: boolean;
  /** Text that is null, not empty, when there is none. */
  nullable?: boolean;
  min?: number;
  max?: number;
  /** Several rows can be given the same value at once. */
  bulk?: boolean;
  /** The form offers only references whose field of this name has the form's value: runs of the chosen client. */
  within?: FieldLabel;
  /** A date of a plan: shown as such, not as “in 3 weeks”. */
  planned?: boolean;
  hint?: keyof typeof en.hint;
}

export interface Tab {
  id: string;
  label: keyof typeof en.tab;
  content: ComponentType<{ row: Row }>;
  /** Stands behind the details: not what a page opens with. */
  late?: boolean;
  /** For this role only, where not everybody who sees the row may see it. */
  read?: Role;
}

export interface ResourceSpec {
  /** Name in paths, addresses and the audit log. */
  name: ResourceLabel;
  icon: NavItem['icon'];
  fields: FieldSpec[];
  read: Role;
  write: Role | 'nobody';
  /** Which of them the API has. */
  can: { create?: boolean; edit?: boolean; archive?: boolean; delete?: boolean };
  /** Path of the list, where it is not /api/v1/NAME. */
  path?: string;
  /** What a row is called. */
  title?: (row: Row) => string;
  /** Sorted like this when the reader has not chosen. */
  sort?: string;
  search?: boolean;
  /** Rows have no page of their own. */
  listOnly?: boolean;
  /** Has `count=true`. */
  counted?: boolean;
  /** A form of its own instead of the one made from the fields. */
  Form?: ComponentType<FormProps>;
  /** Buttons beside the usual ones. */
  Actions?: ComponentType<{ row: Row }>;
  ListActions?: ComponentType;
  /** Shown on the row's page above the tabs. */
  Overview?: ComponentType<{ row: Row }>;
  tabs?: Tab[];
  /** Lists of other resources that name this one: { 'production-runs': 'brand_id' }. */
  related?: Partial<Record<ResourceLabel, string>>;
}

export interface FormProps {
  spec: ResourceSpec;
  /** The row to edit; absent to create one. */
  row?: Row;
  /** The row's version; a change by somebody else since then is refused. */
  etag?: string | null;
  /** Begins again with the server's newest version of the row. */
  onReload?: () => void;
  /** First values of a new row. */
  initial?: Record<string, string>;
  onDone: (row: Row) => void;
  onClose: () => void;
}

const RANK: Record<Role, number> = { user: 0, manager: 1, admin: 2 };

export function mayRead(user: User, spec: { read: Role }): boolean {
  return RANK[user.role] >= RANK[spec.read];
}

export function mayWrite(user: User, spec: ResourceSpec): boolean {
  return spec.write !== 'nobody' && RANK[user.role] >= RANK[spec.write];
}

export function listPath(spec: ResourceSpec): string {
  return spec.path ?? `/api/v1/${spec.name}`;
}

export function rowTitle(spec: ResourceSpec, row: Row): string {
  if (spec.title) return spec.title(row);
  return typeof row.name === 'string' && row.name ? row.name : `#${row.id}`;
}

export const inForm = (field: FieldSpec, mode: 'create' | 'edit'): boolean =>
  field.form === true || field.form === mode;
