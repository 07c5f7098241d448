// The usual form of a row: a dialog made from the resource's fields.
import { FormDialog } from '@tracker/shared/form/FormDialog.tsx';
import { RowFields } from './RowFields';
import type { FormProps } from './spec';
import { useRowForm } from './useRowForm';

export function FieldsForm(props: FormProps) {
  const { form, fields, title, save } = useRowForm(props);
  return (
    <FormDialog form={form} title={title} onSubmit={save} onClose={props.onClose} onReload={props.onReload}>
      <RowFields form={form} fields={fields} row={props.row} />
    </FormDialog>
  );
}
