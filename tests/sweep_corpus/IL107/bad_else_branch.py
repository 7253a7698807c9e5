"""The fallback is in the other branch."""


def workspace_of(request):
    if "workspace" in request.session:
        workspace_id = request.session["workspace"]
    else:
        workspace_id = "public"
    return workspace_id
