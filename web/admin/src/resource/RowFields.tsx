// The fields of a row's form, one below the other.
import { Controller, useWatch, type UseFormReturn } from 'react-hook-form';
import { asText } from './asText';
import { FieldControl } from './FieldControl';
import type { FormValues } from './formValues';
import type { FieldSpec, Row } from './spec';

interface RowFieldsProps {
  form: UseFormReturn<FormValues, unknown, FormValues>;
  fields: FieldSpec[];
  row?: Row | undefined;
}

export function RowFields({ form, fields, row }: RowFieldsProps) {
  const values = useWatch({ control: form.control });
  const { errors } = form.formState;
  return fields.map((field) => {
    const within = field.within ? (values[field.within] ?? row?.[field.within]) : undefined;
    const filter = field.within && within ? { filter: { [field.within]: asText(within) } } : {};
    return (
      <Controller
        key={field.name}
        control={form.control}
        name={field.name}
        render={({ field: { value, onChange } }) => (
          <FieldControl
            field={field}
            value={value}
            onChange={onChange}
            error={errors[field.name]?.message}
            {...filter}
          />
        )}
      />
    );
  });
}
