// Client and production run of new trackers; the runs offered are the client's.
import { Field } from '@tracker/shared/ui/Field.tsx';
import { useTranslation } from 'react-i18next';
import { RefPicker } from '../resource/RefPicker';

interface OwnerFieldsProps {
  /** Ids as text, '' for none. */
  client: string;
  run: string;
  onChange: (client: string, run: string) => void;
  error?: string | undefined;
}

const idOf = (text: string) => (text === '' ? undefined : Number(text));
const textOf = (id: number | undefined) => (id === undefined ? '' : String(id));

export function OwnerFields({ client, run, onChange, error }: OwnerFieldsProps) {
  const { t } = useTranslation('admin');
  return (
    <>
      <Field label={t('field.client_id')} required error={error}>
        {(control) => (
          <RefPicker
            id={control.id}
            label={t('field.client_id')}
            resources={['clients']}
            value={idOf(client)}
            invalid={error !== undefined}
            describedBy={control['aria-describedby']}
            onChange={(id) => onChange(textOf(id), '')}
          />
        )}
      </Field>
      {client && (
        <Field label={t('field.production_run_id')}>
          {(control) => (
            <RefPicker
              id={control.id}
              label={t('field.production_run_id')}
              resources={['production-runs']}
              filter={{ client_id: client }}
              value={idOf(run)}
              onChange={(id) => onChange(client, textOf(id))}
              clearable
            />
          )}
        </Field>
      )}
    </>
  );
}
