// New trackers in numbers: from a file, or with new keys for the manufacturer.
import { Button } from '@tracker/shared/ui/Button.tsx';
import { FileUp, KeyRound } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { GenerateDialog } from './GenerateDialog';
import { ImportDialog } from './ImportDialog';

export function TrackerListActions() {
  const { t } = useTranslation('admin');
  const [open, setOpen] = useState<'import' | 'generate'>();
  return (
    <>
      <Button onClick={() => setOpen('import')}>
        <FileUp aria-hidden className="size-4" />
        {t('import.open')}
      </Button>
      <Button onClick={() => setOpen('generate')}>
        <KeyRound aria-hidden className="size-4" />
        {t('generate.open')}
      </Button>
      {open === 'import' && <ImportDialog onClose={() => setOpen(undefined)} />}
      {open === 'generate' && <GenerateDialog onClose={() => setOpen(undefined)} />}
    </>
  );
}
