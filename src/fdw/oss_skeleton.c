/*
 * oss_skeleton.c
 *		Weak traps for what is not linked in yet, so that the library always loads.
 */
__asm__(".weak mcn_response_drain\n.set mcn_response_drain, mc_missing");
__asm__(".weak mcw_codec_file_name\n.set mcw_codec_file_name, mc_missing");
__asm__(".weak mcw_codec_from_file\n.set mcw_codec_from_file, mc_missing");
__asm__(".weak mcw_codec_from_suffix\n.set mcw_codec_from_suffix, mc_missing");
__asm__(".weak mcw_codec_suffix\n.set mcw_codec_suffix, mc_missing");
__asm__(".weak mcw_deflate\n.set mcw_deflate, mc_missing");
__asm__(".weak mcw_deflater_create\n.set mcw_deflater_create, mc_missing");
__asm__(".weak mcw_deflater_free\n.set mcw_deflater_free, mc_missing");
__asm__(".weak mcw_format_jsonl\n.set mcw_format_jsonl, mc_missing");
__asm__(".weak mcw_inflate\n.set mcw_inflate, mc_missing");
__asm__(".weak mcw_inflater_create\n.set mcw_inflater_create, mc_missing");
__asm__(".weak mcw_inflater_free\n.set mcw_inflater_free, mc_missing");

extern void mc_missing(void);

void
mc_missing(void)
{
	__builtin_trap();
}
