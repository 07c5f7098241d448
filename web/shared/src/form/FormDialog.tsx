// A form in a dialog: submitting, closing (asked first once something was typed), and what is wrong with the whole.
import { useId, type ReactNode } from 'react';
import type { FieldValues, UseFormReturn } from 'react-hook-form';
import { useTranslation } from 'react-i18next';
import { Button } from '../ui/Button';
import { confirm } from '../ui/confirm';
import { Dialog } from '../ui/Dialog';
import { submitting } from './form';
import { FormError } from './FormError';

interface FormDialogProps<Values extends FieldValues> {
  form: UseFormReturn<Values, unknown, Values>;
  title: string;
  description?: ReactNode;
  wide?: boolean;
  /** What the button that submits is called, where it does not save. */
  act?: string;
  /** Runs once the fields are in order; what it throws is shown in the form. */
  onSubmit: (values: Values) => Promise<void>;
  onClose: () => void;
  /** Something that is no field of `form` was changed as well: a shape on the map. */
  changed?: boolean;
  /** Begins again with the server's newest version; offered after somebody else's change. */
  onReload?: (() => void) | undefined;
  children: ReactNode;
}

export function FormDialog<Values extends FieldValues>({
  form,
  title,
  description,
  wide = false,
  act,
  onSubmit,
  onClose,
  changed = false,
  onReload,
  children,
}: FormDialogProps<Values>) {
  const { t } = useTranslation('shared');
  const id = useId();
  const { errors, isSubmitting, isDirty } = form.formState;
  const close = async () => {
    const question = { title: t('confirm.unsavedTitle'), text: t('confirm.unsavedText'), act: t('confirm.leave') };
    if (!(isDirty || changed) || (await confirm({ ...question, danger: true }))) onClose();
  };
  const submit = submitting(form, onSubmit);
  const stale = errors.root?.type === 'stale';
  return (
    <Dialog
      open
      wide={wide}
      title={title}
      {...(description ? { description } : {})}
      onClose={() => void close()}
      footer={
        <>
          <Button onClick={() => void close()}>{t('action.cancel')}</Button>
          <Button variant="primary" type="submit" form={id} busy={isSubmitting}>
            {act ?? t('action.save')}
          </Button>
        </>
      }
    >
      <form
        id={id}
        noValidate
        className="flex flex-col gap-4"
        onSubmit={(event) => void form.handleSubmit(submit)(event)}
      >
        {children}
        <FormError message={errors.root?.message} />
        {stale && onReload && (
          <Button className="self-start" onClick={onReload}>
            {t('action.reload')}
          </Button>
        )}
      </form>
    </Dialog>
  );
}
