/*
 * test_ots_sign.c
 *		Signatures of Tablestore beyond the golden vectors: which headers count, spelling
 *		and blanks, what cannot be signed.
 */
#include "unit.h"

#include "../../src/wire/mcw_sign.h"

static mcw_request request;
static mcw_buf signature;
static mcw_buf text;
static mcw_error err;

static void
begin(void)
{
	memset(&request, 0, sizeof(request));
	request.method = MCW_LIT("POST");
	request.path = MCW_LIT("/ListTable");
	mcw_buf_init(&signature, &mcw_malloc, 1024);
	mcw_buf_init(&text, &mcw_malloc, 65536);
}

static void
end(void)
{
	mcw_buf_free(&signature);
	mcw_buf_free(&text);
}

static void
test_headers(void)
{
	begin();
	CHECK_OK(mcw_request_header(&request, MCW_LIT("X-Ots-Date"), MCW_LIT(" 2024-02-29T08:15:30.000Z\t")));
	CHECK_OK(mcw_request_header(&request, MCW_LIT("Host"), MCW_LIT("localhost")));
	CHECK_OK(mcw_request_header(&request, MCW_LIT("x-ots-AccessKeyId"), MCW_LIT("ak")));
	CHECK_OK(mcw_request_header(&request, MCW_LIT("x-ots-signature"), MCW_LIT("old")));
	CHECK_OK(mcw_request_header(&request, MCW_LIT("X-Ots-SignatureV4"), MCW_LIT("old")));
	CHECK_OK(mcw_request_header(&request, MCW_LIT("x-otsx"), MCW_LIT("no")));
	CHECK_OK(mcw_ots_sign_v2(&request, MCW_LIT("secret"), &signature, &text, &err));
	CHECK_VIEW(mcw_buf_view(&text), MCW_LIT("/ListTable\nPOST\n\nx-ots-accesskeyid:ak\nx-ots-date:2024-02-29T08:15:30.000Z\n"));
	CHECK_INT(signature.len, 28);	/* 20 bytes in base64 */
	mcw_buf_reset(&signature);
	CHECK_OK(mcw_ots_sign_v2(&request, MCW_LIT("secret"), &signature, NULL, &err));

	/* V4: the same and "ots"; the key is text */
	CHECK_INT(mcw_ots_sign_v4(&request, MCW_LIT("key"), &signature, &text, &err), MCW_ERR_ARGUMENT);
	CHECK_OK(mcw_request_header(&request, MCW_LIT("x-ots-signdate"), MCW_LIT("20240229")));
	CHECK_INT(mcw_ots_sign_v4(&request, MCW_LIT("key"), &signature, &text, &err), MCW_ERR_ARGUMENT);
	CHECK_OK(mcw_request_header(&request, MCW_LIT("x-ots-signregion"), MCW_LIT("cn-hangzhou")));
	mcw_buf_reset(&text);
	mcw_buf_reset(&signature);
	CHECK_OK(mcw_ots_sign_v4(&request, MCW_LIT("key"), &signature, &text, &err));
	CHECK_VIEW(mcw_buf_view(&text), MCW_LIT("/ListTable\nPOST\n\nx-ots-accesskeyid:ak\nx-ots-date:2024-02-29T08:15:30.000Z\n"
											"x-ots-signdate:20240229\nx-ots-signregion:cn-hangzhou\nots"));
	CHECK_INT(signature.len, 44);
	end();
}

static void
test_refused(void)
{
	mcw_pair	headers[MCW_MAX_HEADERS + 1];
	char		names[MCW_MAX_HEADERS + 1][16];

	begin();
	CHECK_INT(mcw_ots_sign_v2(&request, MCW_LIT(""), &signature, NULL, &err), MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_ots_v4_key(MCW_LIT(""), MCW_LIT("20240229"), MCW_LIT("r"), &signature, &err), MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_ots_v4_key(MCW_LIT("s"), MCW_LIT("2024-2-9"), MCW_LIT("r"), &signature, &err), MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_ots_v4_key(MCW_LIT("s"), MCW_LIT("202402290"), MCW_LIT("r"), &signature, &err), MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_ots_v4_key(MCW_LIT("s"), MCW_LIT("20240229"), MCW_LIT(""), &signature, &err), MCW_ERR_ARGUMENT);
	CHECK_OK(mcw_request_param(&request, MCW_LIT("a"), MCW_LIT("b")));
	CHECK_INT(mcw_ots_sign_v2(&request, MCW_LIT("secret"), &signature, NULL, &err), MCW_ERR_ARGUMENT);
	request.nparams = 0;
	request.path = MCW_LIT("");
	CHECK_INT(mcw_ots_sign_v2(&request, MCW_LIT("secret"), &signature, NULL, &err), MCW_ERR_ARGUMENT);
	CHECK(strstr(err.message, "secret") == NULL);
	CHECK_INT(signature.len, 0);

	for (int i = 0; i <= MCW_MAX_HEADERS; i++)
	{
		(void) snprintf(names[i], sizeof(names[i]), "x-ots-%d", i);
		headers[i].name = mcw_str(names[i]);
		headers[i].value = MCW_LIT("v");
	}
	CHECK_OK(mcw_ots_sign_response(headers, MCW_MAX_HEADERS, MCW_LIT("/x"), MCW_LIT("s"), &signature, &err));
	CHECK_INT(mcw_ots_sign_response(headers, MCW_MAX_HEADERS + 1, MCW_LIT("/x"), MCW_LIT("s"), &signature, &err), MCW_ERR_LIMIT);
	CHECK_INT(mcw_ots_sign_response(headers, 1, MCW_LIT("/x"), MCW_LIT(""), &signature, &err), MCW_ERR_ARGUMENT);
	end();
}

static mcw_status
sign_all(const mcw_alloc *alloc, void *arg)
{
	mcw_buf		out;
	mcw_status	status;

	mcw_buf_init(&out, alloc, 1024);
	status = mcw_ots_v4_key(MCW_LIT("secret"), MCW_LIT("20240229"), MCW_LIT("r"), &out, &err);
	if (status == MCW_OK)
		status = mcw_ots_sign_v4(&request, MCW_LIT("key"), &out, NULL, &err);
	if (status == MCW_OK)
		status = mcw_ots_sign_response(request.headers, request.nheaders, request.path, MCW_LIT("s"), &out, &err);
	mcw_buf_free(&out);
	return status;
}

static void
test_memory(void)
{
	begin();
	CHECK_OK(mcw_request_header(&request, MCW_LIT("x-ots-signdate"), MCW_LIT("20240229")));
	CHECK_OK(mcw_request_header(&request, MCW_LIT("x-ots-signregion"), MCW_LIT("r")));
	unit_torture(sign_all, NULL);
	end();
}

static const unit_case cases[] = {
	{"which headers are signed", test_headers},
	{"what cannot be signed", test_refused},
	{"memory", test_memory},
};

UNIT_MAIN(cases)
