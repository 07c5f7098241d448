// The control of one field of a form, by its kind.
import { Field, type ControlProps } from '@tracker/shared/ui/Field.tsx';
import { Checkbox, Input, Select, TextArea } from '@tracker/shared/ui/Input.tsx';
import { useTranslation } from 'react-i18next';
import { useWord } from './cells';
import type { FormValue } from './formValues';
import { RefPicker, RefsPicker } from './RefPicker';
import type { FieldSpec } from './spec';

interface FieldControlProps {
  field: FieldSpec;
  value: FormValue;
  onChange: (value: FormValue) => void;
  error?: string | undefined;
  /** Narrows what a reference offers. */
  filter?: Record<string, string>;
}

const INPUT_TYPES = {
  text: 'text',
  email: 'email',
  password: 'password',
  number: 'number',
  time: 'datetime-local',
} as const;

export function FieldControl(props: FieldControlProps) {
  const { field, value, onChange, error } = props;
  const { t } = useTranslation('admin');
  const label = t(`field.${field.name}`);
  const hint = field.hint ? t(`hint.${field.hint}`) : undefined;
  if (field.kind === 'bool') {
    return <Checkbox label={label} checked={value === true} onChange={(event) => onChange(event.target.checked)} />;
  }
  return (
    <Field label={label} required={field.required ?? false} error={error} hint={hint}>
      {(control) => <Control {...props} label={label} control={control} />}
    </Field>
  );
}

function Control({
  field,
  value,
  onChange,
  filter,
  label,
  control,
}: FieldControlProps & { label: string; control: ControlProps }) {
  const { t } = useTranslation('shared');
  const word = useWord();
  const text = typeof value === 'string' ? value : '';
  const picker = {
    id: control.id,
    label,
    resources: field.ref ?? [],
    filter: filter ?? {},
    invalid: control['aria-invalid'] ?? false,
    describedBy: control['aria-describedby'],
  };
  switch (field.kind) {
    case 'ref':
      return (
        <RefPicker
          {...picker}
          clearable={!field.required}
          value={text === '' ? undefined : Number(text)}
          onChange={(id) => onChange(id === undefined ? '' : String(id))}
        />
      );
    case 'refs':
      return <RefsPicker {...picker} value={Array.isArray(value) ? value : []} onChange={onChange} />;
    case 'enum':
    case 'status':
      return (
        <Select
          {...control}
          value={text}
          onChange={(event) => onChange(event.target.value)}
          options={(field.words ?? []).map((each) => ({ value: each, label: word(each) }))}
          // Nothing is chosen for somebody: a role least of all.
          {...(field.required && text !== '' ? {} : { empty: t(field.required ? 'field.choose' : 'field.none') })}
        />
      );
    case 'longtext':
      return <TextArea {...control} value={text} onChange={(event) => onChange(event.target.value)} />;
    case 'json':
      return (
        <TextArea
          {...control}
          className="font-mono text-xs"
          spellCheck={false}
          rows={14}
          value={text}
          onChange={(event) => onChange(event.target.value)}
        />
      );
    case 'position':
    case 'bool':
      return null;
    case 'words':
      return <Input {...control} value={text} onChange={(event) => onChange(event.target.value)} />;
    case 'text':
    case 'email':
    case 'password':
    case 'number':
    case 'time':
      return (
        <Input
          {...control}
          type={INPUT_TYPES[field.kind]}
          {...(field.kind === 'number' ? { step: 'any', inputMode: 'decimal' as const } : {})}
          {...(field.kind === 'password' ? { autoComplete: 'new-password' } : { autoComplete: 'off' })}
          value={text}
          onChange={(event) => onChange(event.target.value)}
        />
      );
  }
}
